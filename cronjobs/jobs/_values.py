"""How the jobs' parameters are read, from whoever gives them, and how times are written in results."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django import forms

from cronjobs.language import gettext as _

# Ten years; beyond, somebody has mistaken the unit.
MAX_MINUTES = 10 * 365 * 24 * 60

_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


def as_minutes(value: object) -> int:
    """Return a whole number of minutes from 1 to ten years; raise `ValueError` with a sentence."""
    try:
        # int() would also cut 2.5 to 2 and take True for 1.
        minutes = int(value) if isinstance(value, str) else value
    except ValueError:
        minutes = None
    if not isinstance(minutes, int) or isinstance(minutes, bool) or not 1 <= minutes <= MAX_MINUTES:
        text = _("must be a whole number from 1 to %(most)d (ten years), not %(value)s.")
        raise ValueError(text % {"most": MAX_MINUTES, "value": _shown(value)})
    return minutes


def as_instant(value: datetime | str) -> datetime:
    """Return a point in time in UTC, from ISO 8601 text with a zone if it is text; raise `ValueError`."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        # Without a zone it would be taken as this machine's.
        instant = None if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        instant = None
    if instant is None:
        text = _("must be a time with its zone, such as %(example)s, not %(value)s.")
        raise ValueError(text % {"example": "2026-01-15T10:30:00Z", "value": _shown(value)})
    if instant < _EARLIEST:
        raise ValueError(_("must not be before 1970, as %(value)s is.") % {"value": _shown(value)})
    return instant


class InstantField(forms.DateTimeField):
    """A form's field for `as_instant`; text without a zone is in the current one, as everywhere in Django."""

    def to_python(self, value: Any) -> datetime | None:
        moment = super().to_python(value)
        try:
            return None if moment is None else as_instant(moment)
        except ValueError as error:
            raise forms.ValidationError(_("This %(problem)s") % {"problem": error}) from None


def _shown(value: object) -> str:
    text = str(value)
    return repr(text if len(text) <= 40 else f"{text[:40]}…")
