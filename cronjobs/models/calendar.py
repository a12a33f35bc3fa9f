"""Days on which jobs do not run, as lists of dates that jobs share by name."""

from __future__ import annotations

from datetime import date

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _


def _check_dates(value: object) -> None:
    if not isinstance(value, list):
        raise ValidationError(_("A calendar is a list of dates."))
    for each in value:
        try:
            date.fromisoformat(each)
        except (TypeError, ValueError):
            raise ValidationError(_("%(value)r is not a date; write 2026-12-25."), params={"value": each}) from None


class Calendar(models.Model):
    """A named list of dates. A job that has it does not run on them, as its own time zone counts days."""

    name = models.CharField(_("name"), max_length=100, unique=True)
    dates = models.JSONField(
        _("dates"), default=list, blank=True, validators=[_check_dates], help_text=_("Such as 2026-12-25.")
    )

    class Meta:
        verbose_name = _("calendar")
        verbose_name_plural = _("calendars")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def days(self) -> frozenset[date]:
        """Return the dates; raise `ValidationError` if the row holds something else."""
        _check_dates(self.dates)
        return frozenset(map(date.fromisoformat, self.dates))
