"""The history over HTTP, page by page: each page goes on below an id, and nothing counts the table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from cronjobs import permissions
from cronjobs.api.executions.answers import execution_address, summary_document
from cronjobs.api.requests.access import check_reach, reach
from cronjobs.api.requests.queries import Query, instant, next_address, one_of, some_name, whole_number
from cronjobs.api.views import CronView
from cronjobs.models import Job, JobExecution, Trigger
from cronjobs.models.execution import ExecutionQuerySet
from cronjobs.models.recorded import ids_between
from cronjobs.states import ExecutionStatus
from cronjobs.storable import rfc3339

DEFAULT_LIMIT = 50
MOST = 200
# No index finds these: one request looks at so many ids, and the next one goes on below.
UNINDEXED = ("trigger", "node")
LOOKED_AT = 100_000

_KNOWN = ("job", "status", "trigger", "node", "since", "until", "before", "limit")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice:
    """Which executions are asked for; None and nothing: all of them."""

    job_ids: list[int] | None
    statuses: list[str]
    trigger: str | None
    node: str | None
    since: datetime | None
    until: datetime | None
    before: int | None
    limit: int

    @property
    def is_unindexed(self) -> bool:
        return self.trigger is not None or self.node is not None


class ExecutionsView(CronView):
    """``GET executions``: the history, newest first, without results, parameters and tracebacks.

    ``?job=&status=&trigger=&node=&since=&until=&before=&limit=``; `status` may be repeated, or
    be a list with commas. ``next`` is the address of what follows; null: nothing does. With
    `trigger` or `node` a page may hold less than there is room for, even nothing, and have a next one.
    """

    permissions = (permissions.VIEW_EXECUTIONS,)
    takes_limited_keys = True

    def get(self, request: Request) -> Response:
        choice = _read(request)
        rows, before = _page(choice)
        document = {
            "success": True,
            "executions": [{**summary_document(each), "url": execution_address(request, each)} for each in rows],
            "next": None if before is None else next_address(request, before=before),
            "timestamp": rfc3339(timezone.now()),
        }
        return Response(document)


def _read(request: Request) -> _Choice:
    query = Query(request, known=_KNOWN)
    choice = _Choice(
        job_ids=query.read("job", lambda text: _job_ids(request, some_name(text)), default=_reached(request)),
        statuses=query.read_several("status", ExecutionStatus.values),
        trigger=query.read("trigger", one_of(Trigger.values), default=None),
        node=query.read("node", some_name, default=None),
        since=query.read("since", instant, default=None),
        until=query.read("until", instant, default=None),
        before=query.read("before", whole_number(), default=None),
        limit=query.read("limit", whole_number(MOST), default=DEFAULT_LIMIT),
    )
    query.done()
    return choice


def _job_ids(request: Request, name: str) -> list[int]:
    check_reach(request, name)
    # The name in an execution is not indexed; its job is.
    found = list(Job.objects.filter(name=name).values_list("pk", flat=True))
    if not found:
        raise ValueError("There is no job of this name.")
    return found


def _reached(request: Request) -> list[int] | None:
    """Return the keys of the jobs that the caller reaches; None: all."""
    names = reach(request)
    return None if names is None else list(Job.objects.filter(name__in=names).values_list("pk", flat=True))


def _page(choice: _Choice) -> tuple[list[JobExecution], int | None]:
    """Return at most as many executions as asked for, and the id below which to go on; None: that is all."""
    low, high = _bounds(choice)
    floor = _floor(low, high) if choice.is_unindexed else low
    rows = _chosen(choice).filter(pk__gt=floor)
    found = _newest(rows if high is None else rows.filter(pk__lt=high), choice.statuses, choice.limit + 1)
    if len(found) > choice.limit:
        return found[: choice.limit], found[choice.limit - 1].pk
    return found, floor + 1 if floor > low else None


def _bounds(choice: _Choice) -> tuple[int, int | None]:
    """Return the ids between which to look; None: up to the newest."""
    low, high = ids_between(choice.since, choice.until)
    return low, min((each for each in (high, choice.before) if each is not None), default=None)


def _floor(low: int, high: int | None) -> int:
    """Return the id above which one request looks."""
    rows = JobExecution.objects.all() if high is None else JobExecution.objects.filter(pk__lt=high)
    newest = rows.aggregate(newest=Max("pk"))["newest"] or 0
    return max(low, newest - LOOKED_AT)


def _chosen(choice: _Choice) -> ExecutionQuerySet:
    exact = {
        "job_id__in": choice.job_ids,
        "trigger": choice.trigger,
        "node": choice.node,
        "queued_at__gte": choice.since,
        "queued_at__lt": choice.until,
    }
    rows = JobExecution.objects.filter(**{name: value for name, value in exact.items() if value is not None})
    return rows.defer("params", "result", "traceback").order_by("-pk")


def _newest(rows: ExecutionQuerySet, statuses: list[str], limit: int) -> list[JobExecution]:
    # One look for each status: the index on it is in the order of ids only within one, and without it
    # a status that is rare is searched for through the whole history.
    looks = [rows.filter(status=each)[:limit] for each in statuses] or [rows[:limit]]
    # What moves on from one status to the next meanwhile is found twice.
    found = {each.pk: each for look in looks for each in look}
    return [found[pk] for pk in sorted(found, reverse=True)[:limit]]
