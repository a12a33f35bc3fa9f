"""Figures over HTTP: how each job did in each hour or day."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from cronjobs import permissions
from cronjobs.api.errors import InvalidQuery
from cronjobs.api.requests.access import check_reach, reach
from cronjobs.api.requests.lookups import find_job
from cronjobs.api.requests.queries import Query, instant, next_address, one_of, some_name, whole_number
from cronjobs.api.views import CronView
from cronjobs.database import engine_alias, read_clock
from cronjobs.exceptions import InvalidSchedule
from cronjobs.history import Figures, Period, boundaries, job_figures
from cronjobs.models import Job, JobExecution
from cronjobs.models.figures import Percentiles
from cronjobs.schedules import parse_time_zone
from cronjobs.storable import rfc3339

MOST_JOBS = 100
_USUAL_RANGE = timedelta(days=1)
_UTC = ZoneInfo("UTC")
_KNOWN = ("job", "since", "until", "period", "timeZone", "after", "limit")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice:
    """What is asked for: of which jobs (None: all), from when to when, in which periods, and which page of it."""

    job: str | None
    since: datetime
    until: datetime
    period: Period
    zone: ZoneInfo
    after: str
    limit: int


class StatsView(CronView):
    """``GET stats?job=&since=&until=&period=hour|day&timeZone=&after=&limit=``: each job's figures in each hour or day.

    Counted is what ended in a period; without `since` and `until`, in the last 24 hours. ``next``
    is the address of the jobs that follow by their names; null: none do.
    """

    permissions = (permissions.VIEW_EXECUTIONS,)
    takes_limited_keys = True

    def get(self, request: Request) -> Response:
        choice = _read(request)
        names, is_more = _names(request, choice)
        bounds = boundaries(choice.since, choice.until, period=choice.period, zone=choice.zone)
        figures = job_figures(names, bounds)
        document = {
            "success": True,
            "since": rfc3339(choice.since),
            "until": rfc3339(choice.until),
            "period": choice.period,
            "timeZone": choice.zone.key,
            "jobs": [{"jobName": each, "periods": [_document(one) for one in figures.get(each, [])]} for each in names],
            "next": _next(request, choice, names[-1]) if is_more else None,
            "timestamp": rfc3339(timezone.now()),
        }
        return Response(document)


def _read(request: Request) -> _Choice:
    query, now = Query(request, known=_KNOWN), _now()
    job = query.read("job", some_name, default=None)
    # Nothing has ended yet in what is to come.
    until = min(query.read("until", instant, default=now), now)
    since = query.read("since", instant, default=until - _USUAL_RANGE)
    choice = _Choice(
        job=job,
        since=since,
        until=until,
        period=query.read("period", lambda text: Period(one_of(Period)(text)), default=Period.HOUR),
        zone=query.read("timeZone", _zone, default=_UTC),
        after=query.read("after", some_name, default=""),
        limit=query.read("limit", whole_number(MOST_JOBS), default=MOST_JOBS),
    )
    query.done()
    if mistake := _mistake(choice):
        raise InvalidQuery({"since": [mistake]})
    return choice


def _now() -> datetime:
    """Return the database's time, to the millisecond, as the answer has it."""
    now = read_clock(engine_alias(JobExecution))
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def _mistake(choice: _Choice) -> str:
    if choice.since >= choice.until:
        return f"Must be before {rfc3339(choice.until)}: until, or now if that comes first."
    longest = choice.period.longest_range
    if choice.until - choice.since > longest:
        return f"With period={choice.period} at most {longest.days} days can be asked for at once."
    return ""


def _zone(text: str) -> ZoneInfo:
    try:
        return parse_time_zone(text)
    except InvalidSchedule as error:
        raise ValueError(str(error).removeprefix(f"{error.field}: ")) from None


def _names(request: Request, choice: _Choice) -> tuple[list[str], bool]:
    """Return the jobs of this page, by name, and whether others follow; raise `JobNotFound` for one that is not there."""
    if choice.job is not None:
        check_reach(request, choice.job)
        return [find_job(choice.job).name], False
    jobs, reached = Job.objects.order_by("name"), reach(request)
    if reached is not None:
        jobs = jobs.filter(name__in=reached)
    names = list(jobs.filter(name__gt=choice.after).values_list("name", flat=True)[: choice.limit + 1])
    return names[: choice.limit], len(names) > choice.limit


def _next(request: Request, choice: _Choice, last: str) -> str:
    # The same span for all pages, however much time passes in between.
    return next_address(request, since=rfc3339(choice.since), until=rfc3339(choice.until), after=last)


def _document(figures: Figures) -> dict[str, Any]:
    tally = figures.tally
    mean = round(tally.duration_total / tally.durations, 1) if tally.durations else None
    return {
        "since": rfc3339(figures.since),
        "until": rfc3339(figures.until),
        "executions": figures.executions,
        "outcomes": {_camel(status): number for status, number in sorted(tally.outcomes.items())},
        "successRate": None if figures.success_rate is None else round(figures.success_rate, 4),
        "durationMs": {**_percentiles(figures.duration), "max": tally.duration_max, "mean": mean},
        "latenessMs": _percentiles(figures.lateness),
        "percentilesEstimated": figures.is_estimated,
        "attempts": tally.attempt_total,
        "retries": tally.retries,
        "missedDueTimes": tally.missed_due_times,
    }


def _percentiles(found: Percentiles | None) -> dict[str, int | None]:
    return {"p50": None, "p95": None} if found is None else asdict(found)


def _camel(status: str) -> str:
    first, *others = status.split("_")
    return first + "".join(each.title() for each in others)
