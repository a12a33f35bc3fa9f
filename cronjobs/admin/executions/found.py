"""The list of executions: in windows, bounded in how far back it looks, and without what may be long."""

from __future__ import annotations

from typing import Any, Final

from django.db.models import QuerySet
from django.db.models.functions import Right
from django.http import HttpRequest

from cronjobs.admin.executions.dates import DateFilter
from cronjobs.admin.executions.durations import usual_durations
from cronjobs.admin.filters import BeforeFilter, JobFilter, NodeFilter, RecordedFilter
from cronjobs.admin.windows import BEFORE, WIDE, WindowList, WindowPaginator
from cronjobs.models import JobExecution
from cronjobs.parsing import row_id

# What no index finds is looked for in so many executions at a time.
LOOKED_AT: Final = 100_000
# Of a long message only the end is read, for its last line.
TAIL: Final = 300
_TAILS: Final = {"error_tail": Right("error_message", TAIL), "reason_tail": Right("reason", TAIL)}
# These narrow the list by an index, or by ids.
_INDEXED: Final = (JobFilter, DateFilter, RecordedFilter, BeforeFilter)
_STATUS: Final = "status__exact"
_UNINDEXED: Final = frozenset({"trigger__exact", NodeFilter.parameter_name})


def number_in(search: str) -> int | None:
    """Return the id that a search asks for; None if it asks for words."""
    return row_id(search.strip().removeprefix("#"))


def selected(request: HttpRequest, executions: QuerySet[JobExecution]) -> QuerySet[JobExecution]:
    """Return what an action is for: if it is for all that the list has, what its pages show, and not what is older."""
    if request.POST.get("select_across", "0") != "1":
        return executions
    ids = executions.order_by("-pk").values_list("pk", flat=True)[: WindowPaginator.size]
    return JobExecution.objects.filter(pk__in=list(ids))


def with_tails(executions: QuerySet[JobExecution]) -> QuerySet[JobExecution]:
    """Return executions with the ends of what may be long, as `error_tail` and `reason_tail`."""
    return executions.annotate(**_TAILS)


class ExecutionList(WindowList):
    """The list of executions.

    A search, a node or a trigger is looked for in `LOOKED_AT` executions at a time: the newest that
    the other filters leave. `whole` are all that match, however far back.
    """

    whole: QuerySet[JobExecution]
    # The newest execution that has not been looked at; None: all have.
    beyond: int | None

    @property
    def looked_back_to(self) -> int:
        """Return the id up to which older executions were looked at."""
        return (self.beyond or 0) + 1

    @property
    def further_url(self) -> str:
        """Return the link to the same list, looked for further back."""
        return self.get_query_string({BEFORE: self.looked_back_to})

    @property
    def dates(self) -> dict[str, Any]:
        """Return what leads through the history by date."""
        return next((each.navigation(self) for each in self.filter_specs if isinstance(each, DateFilter)), {})

    def get_queryset(
        self, request: HttpRequest, exclude_parameters: list[str | None] | None = None
    ) -> QuerySet[JobExecution]:
        self.whole = super().get_queryset(request, exclude_parameters)
        self.beyond = self._beyond(request)
        return self.whole if self.beyond is None else self.whole.filter(pk__gt=self.beyond)

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows = list(with_tails(self.paginator.rows(self.page_num if self.multi_page else 1)).defer(*WIDE))
        usual = usual_durations({each.job_id for each in rows if each.job_id is not None})
        for each in rows:
            each.usual = usual.get(each.job_id or 0)  # type: ignore[attr-defined]  # for the bar beside it
        self.result_list = rows

    def _beyond(self, request: HttpRequest) -> int | None:
        if not self._is_unindexed():
            return None
        rows = self.root_queryset.order_by("-pk")
        for each in self.filter_specs:
            if isinstance(each, _INDEXED):
                rows = each.queryset(request, rows)
        if self.params.get(JobFilter.parameter_name):
            return _id_at(rows, LOOKED_AT)
        if status := self.params.get(_STATUS):
            return _id_at(rows.filter(status=status), LOOKED_AT)
        newest = _id_at(rows, 0)
        # Ids have gaps, so these are as many at most; to skip as many rows would read them.
        return None if newest is None else _id_at(rows.filter(pk__lte=newest - LOOKED_AT), 0)

    def _is_unindexed(self) -> bool:
        asked = {name for name, value in self.params.items() if value}
        is_search = bool(self.query) and number_in(self.query) is None
        # Of two indexes a database uses one: what is asked for beside the job is looked for among its executions.
        return is_search or bool(asked & _UNINDEXED) or {_STATUS, JobFilter.parameter_name} <= asked


def _id_at(rows: QuerySet[JobExecution], place: int) -> int | None:
    return rows.values_list("pk", flat=True)[place : place + 1].first()
