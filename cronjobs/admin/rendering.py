"""How times, durations and data look in the admin; all of it escaped."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from cronjobs.conf import get_settings
from cronjobs.models import JobExecution
from cronjobs.states import ExecutionStatus
from cronjobs.storable import rfc3339, storable_json, storable_text

# What stands where there is nothing to say, as in Django's own lists.
NOTHING = "-"

# Later than this is worth a second look.
_LATE = timedelta(minutes=1)
# A node needs a moment to notice that a job is due.
_OVERDUE = timedelta(seconds=5)
# In milliseconds.
_CENTURY = 100 * 365 * 24 * 3600 * 1000
# Data up to this length stands on one line.
_SHORT = 100


def nothing() -> SafeString:
    """Return what stands in a list where there is nothing to say; on a phone, nothing does."""
    return format_html('<span class="cron-nothing">{}</span>', NOTHING)


def to_local(at: datetime) -> datetime:
    """Return a time in the current zone; as it is, at the ends of the calendar, where the zone has no such time."""
    try:
        return timezone.localtime(at)
    except (OverflowError, ValueError):
        return at


def moment(at: datetime | None) -> str:
    """Return a time in the current zone, with UTC at hand."""
    return NOTHING if at is None else _tag(at, f"{to_local(at):%Y-%m-%d %H:%M:%S}")


def brief_moment(at: datetime | None, *, now: datetime) -> str:
    """Return a time in the current zone, without the date if that is today's."""
    if at is None or to_local(at).date() != to_local(now).date():
        return moment(at)
    return _tag(at, f"{to_local(at):%H:%M:%S}")


def precise_moment(at: datetime) -> str:
    """Return the time of day in the current zone, to the millisecond."""
    return _tag(at, _to_milliseconds(to_local(at)).partition(" ")[2])


def clock_time(at: datetime) -> str:
    """Return the time of day in the current zone, without seconds, with UTC at hand."""
    return _tag(at, f"{to_local(at):%H:%M}")


def ago(at: datetime | None, *, now: datetime) -> str:
    """Return a time in the current zone, and how long ago it was."""
    if at is None:
        return NOTHING
    # Two machines' clocks may differ: nothing has happened in the future.
    passed = max(now - at, timedelta(0))
    return lines(brief_moment(at, now=now), quiet(_("%(duration)s ago") % {"duration": duration(passed)}))


def ahead(at: datetime | None, *, now: datetime) -> str:
    """Return a time in the current zone, and how long it is until then; emphasized if it has passed."""
    if at is None:
        return NOTHING
    if at < now - _OVERDUE:
        overdue = format_html('<span class="cron-late">{}</span>', _("overdue"))
        return lines(brief_moment(at, now=now), overdue)
    left = duration(max(at - now, timedelta(0)))
    return lines(brief_moment(at, now=now), quiet(_("in %(duration)s") % {"duration": left}))


def local_moment(at: datetime) -> SafeString:
    """Return a time in the current zone, to the millisecond, with the zone's name."""
    local = to_local(at)
    return format_html('<time datetime="{}">{} {}</time>', rfc3339(at), _to_milliseconds(local), f"{local:%Z}")


def utc_moment(at: datetime) -> str:
    """Return a time in UTC, to the millisecond."""
    return f"{_to_milliseconds(at.astimezone(UTC))} UTC"


def duration(span: timedelta | None) -> str:
    """Return a span as a person would say it: two units, or fractions of a second."""
    if span is None:
        return NOTHING
    return f"-{_in_units(-span)}" if span < timedelta(0) else _in_units(span)


def milliseconds(value: float | None) -> timedelta | None:
    """Return a stored number of milliseconds as a span."""
    if value is None:
        return None
    # Whatever somebody has written there by hand: centuries are told as one.
    return timedelta(milliseconds=max(-_CENTURY, min(value, _CENTURY)))


def lateness(span: timedelta | None) -> str:
    """Return how late something started; emphasized if that is worth a second look."""
    if span is None or span < _LATE:
        return duration(span)
    return format_html('<span class="cron-late">{}</span>', duration(span))


def late_by(span: timedelta | None) -> str:
    """Return how late something started, as a remark below when it did; empty if it has not."""
    if span is None:
        return ""
    said = _("%(duration)s late") % {"duration": duration(span)}
    return quiet(said) if span < _LATE else format_html('<span class="cron-late">{}</span>', said)


def running_time(execution: JobExecution, *, now: datetime) -> str:
    """Return how long the last attempt took, or has been taking."""
    if execution.status == ExecutionStatus.RUNNING and execution.started_at is not None:
        return _("%(duration)s …") % {"duration": duration(now - execution.started_at)}
    return duration(milliseconds(execution.duration_ms))


def memory(size: int | None) -> str:
    """Return a number of bytes in the unit that limits are set in: 512M is 512 MiB."""
    return NOTHING if size is None else _("%(mebibytes).0f MiB") % {"mebibytes": size / 2**20}


def last_line(text: str) -> str:
    """Return the last line that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def one_line(text: str) -> str:
    """Return text for a narrow column: cut by the style sheet, whole while the pointer rests on it."""
    return format_html('<span class="cron-one-line" title="{}">{}</span>', text, text) if text else NOTHING


def masked(value: Any) -> Any:
    """Return stored data with the values masked that the settings say nobody is to see."""
    return storable_json(value, mask=get_settings().mask)


def pretty_json(value: Any) -> SafeString:
    """Return stored data as indented JSON, masked."""
    return format_html("<pre>{}</pre>", json.dumps(masked(value), indent=2, ensure_ascii=False))


def masked_text(text: str) -> SafeString:
    """Return text as it was logged, with what looks like a secret masked."""
    return format_html("<pre>{}</pre>", storable_text(text, mask=get_settings().mask))


def quiet(text: object) -> SafeString:
    """Return text that steps back behind the rest."""
    return format_html('<span class="cron-quiet">{}</span>', text)


def labelled(label: str, value: str) -> SafeString:
    """Return a cell of a list with its column's name, which is seen on a phone only: there a row is a block."""
    return nothing() if value == NOTHING else format_html('<span class="cron-column-name">{}</span> {}', label, value)


def code(text: str) -> SafeString:
    """Return text as it was typed."""
    return format_html("<code>{}</code>", text) if text else SafeString("")


def sentence(text: str, **parts: str) -> SafeString:
    """Return a translated text whose ``{names}`` are replaced by parts, safe or to be escaped."""
    return format_html(text, **parts)


def compact_json(value: Any) -> SafeString:
    """Return stored data as JSON, masked; on one line if it is short."""
    text = json.dumps(masked(value), ensure_ascii=False)
    return format_html("<pre>{}</pre>", text) if len(text) <= _SHORT else pretty_json(value)


def lines(*parts: str) -> SafeString:
    """Return parts, each safe or to be escaped, one below the other."""
    return mark_safe("<br>".join(format_html("{}", part) for part in parts if part))  # noqa: S308 - each is escaped


def _in_units(span: timedelta) -> str:
    seconds = span.total_seconds()
    minutes, hours = seconds // 60, seconds // 3600
    if minutes < 1:
        return _in_seconds(seconds)
    if hours < 1:
        return _("%(minutes)d min %(seconds)02d s") % {"minutes": minutes, "seconds": seconds % 60}
    if span.days < 1:
        return _("%(hours)d h %(minutes)02d min") % {"hours": hours, "minutes": minutes % 60}
    return _("%(days)d d %(hours)02d h") % {"days": span.days, "hours": hours % 24}


def _in_seconds(seconds: float) -> str:
    if seconds < 1:
        return _("%(milliseconds)d ms") % {"milliseconds": seconds * 1000}
    # Cut, not rounded: 59.97 s is not yet 60.
    return _("%(seconds).1f s") % {"seconds": int(seconds * 10) / 10}


def _tag(at: datetime, text: str) -> SafeString:
    utc = f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return format_html('<time class="cron-moment" datetime="{}" title="{}">{}</time>', rfc3339(at), utc, text)


def _to_milliseconds(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d}"
