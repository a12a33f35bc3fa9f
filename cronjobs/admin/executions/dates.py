"""The way through the history by year, month and day of recording, without asking which of them have executions.

As Django's `date_hierarchy`, which looks at every row for the dates that there are. What is offered here is
every day from that of the oldest execution to that of the newest, in the current zone.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import formats, timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from cronjobs.admin import rendering
from cronjobs.admin.filters import RecordedFilter
from cronjobs.admin.windows import BEFORE
from cronjobs.models import JobExecution
from cronjobs.models.recorded import Recorded, ids_between, recorded_span

_PERIOD: Final = re.compile(r"([12]\d{3})(?:-(\d\d)(?:-(\d\d))?)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Period:
    """A year, a month or a day, in the current zone."""

    year: int
    month: int | None = None
    day: int | None = None

    @classmethod
    def parse(cls, text: str) -> Period:
        """Return what ``2026``, ``2026-01`` or ``2026-01-15`` stands for; raise ValueError for anything else."""
        found = _PERIOD.fullmatch(text)
        if found is None:
            raise ValueError("Must be a year, a month or a day, such as 2026-01-15.")
        year, month, day = found.groups()
        period = cls(int(year), None if month is None else int(month), None if day is None else int(day))
        # Raises it for a month 13 or a 30th of February.
        date(period.year, period.month or 1, period.day or 1)
        return period

    def __str__(self) -> str:
        parts = [f"{self.year:04}", *(f"{part:02}" for part in (self.month, self.day) if part is not None)]
        return "-".join(parts)

    @property
    def first_day(self) -> date:
        return date(self.year, self.month or 1, self.day or 1)

    @property
    def last_day(self) -> date:
        month = self.month or 12
        return date(self.year, month, self.day or calendar.monthrange(self.year, month)[1])

    @property
    def title(self) -> str:
        if self.month is None:
            return str(self.year)
        return formats.date_format(self.first_day, "YEAR_MONTH_FORMAT" if self.day is None else "DATE_FORMAT")

    @property
    def above(self) -> Period | None:
        """What it is part of."""
        if self.month is None:
            return None
        return Period(self.year) if self.day is None else Period(self.year, self.month)

    def edges(self) -> tuple[datetime, datetime]:
        """Return when it begins and when the next one does."""
        begin, end = self.first_day, self.last_day + timedelta(days=1)
        return timezone.make_aware(datetime.combine(begin, time())), timezone.make_aware(datetime.combine(end, time()))


def parts_between(period: Period | None, first: date, last: date) -> list[Period]:
    """Return the years, the months of a year or the days of a month that lie between two days, these included."""
    if period is None:
        return [Period(year) for year in range(first.year, last.year + 1)]
    if period.day is not None:
        return []
    if period.month is None:
        parts = [Period(period.year, month) for month in range(1, 13)]
    else:
        parts = [Period(period.year, period.month, day) for day in range(1, period.last_day.day + 1)]
    return [each for each in parts if each.last_day >= first and each.first_day <= last]


class DateFilter(admin.SimpleListFilter):
    """Executions recorded in one year, month or day; its choices stand above the list, not beside it."""

    title = gettext_lazy("date")
    parameter_name = "date"
    template = "admin/cronjobs/nothing.html"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return []

    def has_output(self) -> bool:
        return True

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        return iter(())

    def queryset(self, request: HttpRequest, queryset: QuerySet[JobExecution]) -> QuerySet[JobExecution]:
        if self._period is None:
            return queryset
        begin, end = self._period.edges()
        low, high = self._ids
        rows = queryset.filter(pk__gt=low, queued_at__gte=begin, queued_at__lt=end)
        return rows if high is None else rows.filter(pk__lt=high)

    def navigation(self, changelist: ChangeList) -> dict[str, Any]:
        """Return the template's variables: the way up, where one is, the ways down."""
        shown, span = self._period, self._span
        if span is None:
            return {}
        first, last = (rendering.to_local(each).date() for each in (span.first_at, span.last_at))
        # Where there is one way only, it has been gone already: years of one, months of one.
        here = shown
        while len(parts := parts_between(here, first, last)) == 1:
            here = parts[0]
        back = None
        if shown is not None:
            title = _("All dates") if shown.above is None else shown.above.title
            back = {"title": title, "link": self._link(changelist, shown.above)}
        return {
            "back": back,
            "here": None if here is None else here.title,
            "choices": [{**_named(each), "link": self._link(changelist, each)} for each in parts],
        }

    def _link(self, changelist: ChangeList, period: Period | None) -> str:
        # The windows and the spans of other days are no good there.
        chosen = None if period is None else str(period)
        return changelist.get_query_string(
            {self.parameter_name: chosen, RecordedFilter.parameter_name: None, BEFORE: None}
        )

    @cached_property
    def _period(self) -> Period | None:
        value = self.value()
        try:
            return None if value is None else Period.parse(value)
        except ValueError as error:
            raise IncorrectLookupParameters from error

    @cached_property
    def _span(self) -> Recorded | None:
        return recorded_span()

    @cached_property
    def _ids(self) -> tuple[int, int | None]:
        if self._period is None or self._span is None:
            return 0, None
        begin, end = self._period.edges()
        return ids_between(begin, end, span=self._span)


def _named(period: Period) -> dict[str, str]:
    """Return what a link says: a day only its number, and the rest to those who do not see what stands around it."""
    if period.day is None:
        return {"title": period.title, "label": ""}
    return {"title": str(period.day), "label": formats.date_format(period.first_day, "MONTH_DAY_FORMAT")}
