"""Executions by when they were recorded: there is no index on that time, but ids grow with it."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Max, Min

from cronjobs.models.execution import JobExecution

# Ids and times of recording agree but for clocks that differ and transactions that take long.
_DISORDER = timedelta(hours=1)
# So many rows more than asked for may be looked at.
_CLOSE_ENOUGH = 1_000


def ids_between(since: datetime | None = None, until: datetime | None = None) -> tuple[int, int | None]:
    """Return two ids between which all executions are that were recorded from `since` on and before `until` (aware).

    There may be others between them; None: there is no upper bound. Finding them takes a few
    steps in the primary key: none in a short history, ten for each among a million rows.
    """
    low = 0 if since is None else _around(_moved(since, -_DISORDER))[0]
    high = None if until is None else _around(_moved(until, _DISORDER))[1]
    return low, high


def _moved(moment: datetime, by: timedelta) -> datetime:
    try:
        return moment + by
    except OverflowError:
        # The end of time; there are no rows beyond.
        return moment


def _around(moment: datetime) -> tuple[int, int | None]:
    """Return the ids of one recorded before `moment` and of one that was not, close to each other; 0 and None: none."""
    # Two statements: asked for both in one, SQLite reads the whole index.
    first = JobExecution.objects.aggregate(first=Min("pk"))["first"]
    last = JobExecution.objects.aggregate(last=Max("pk"))["last"]
    if first is None or last is None:
        return 0, None
    low, high, found = first - 1, last + 1, None
    while high - low > _CLOSE_ENOUGH:
        middle = (low + high) // 2
        # Ids have gaps: the first row from there on, if there is one below the upper end.
        rows = JobExecution.objects.filter(pk__gte=middle, pk__lt=high).order_by("pk")
        pk, queued_at = rows.values_list("pk", "queued_at").first() or (None, None)
        if pk is None or queued_at is None:
            high = middle
        elif queued_at < moment:
            low = pk
        else:
            high, found = middle, pk
    return low, found
