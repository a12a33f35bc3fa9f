"""Deletes what is old enough, oldest first, in short transactions; or counts it, by the very same steps."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, NamedTuple

from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce

from cronjobs.database import engine_alias, in_transaction, lock_unlocked
from cronjobs.models import ExecutionAttempt, ExecutionLog, Job, JobExecution
from cronjobs.models.execution import ExecutionQuerySet
from cronjobs.retention.deleting import among, delete_rows
from cronjobs.retention.newest import DECIDED, NewestOfJobs, Role
from cronjobs.retention.pace import Pace
from cronjobs.retention.policy import FAILURES, OTHERS, Policy
from cronjobs.retention.purged import Purged
from cronjobs.retention.records import RecordPurge
from cronjobs.states import ExecutionStatus

# So many ids are looked at in one statement, whether there are rows or gaps.
_WINDOW = 2_000
# Somebody may have written an ending without its time.
_ENDED_AT = Coalesce("finished_at", "queued_at")
# In a crowd each may have to give way a few times.
_ATTEMPTS = 10

# Told how many ids have been looked at, how many there are, and how many executions have gone.
Report = Callable[[int, int, int], None]


class _Candidate(NamedTuple):
    """An execution that is old enough, or one too many."""

    pk: int
    job_id: int | None
    status: str
    is_old: bool
    is_started: bool
    is_decided: bool

    @property
    def roles(self) -> Iterator[Role]:
        """What it may be the newest of."""
        yield Role.NEWEST
        if self.status == ExecutionStatus.SUCCEEDED:
            yield Role.SUCCESS
        if self.is_started:
            yield Role.START
        if self.is_decided:
            yield Role.DECIDED


class _Place(NamedTuple):
    """An execution, and the flow that it is below, if it is."""

    pk: int
    flow: int | None

    @property
    def root_id(self) -> int:
        return self.pk if self.flow is None else self.flow


class Purge:
    """Everything that a policy lets go. What the rows were when it began decides; what is recorded later stays.

    `survey` and `perform` come to the same numbers, unless somebody else changes rows meanwhile. A purge that is
    stopped, or killed, leaves nothing half deleted, and doing it again goes on where it ended.
    """

    def __init__(self, policy: Policy, *, pace: Pace | None = None, report: Report = lambda *_: None) -> None:
        self._policy, self._pace, self._report = policy, pace or Pace(), report
        self._alias = engine_alias(JobExecution)
        self._records = RecordPurge(policy, self._alias, self._pace)
        self._tally = Purged()

    @property
    def is_complete(self) -> bool:
        """Whether nothing has stopped it so far."""
        return not self._pace.is_stopped

    @property
    def purged(self) -> Purged:
        """What it has come to so far."""
        return self._tally

    def survey(self) -> Purged:
        """Return what `perform` would delete; write nothing."""
        self._walk(self._count)
        if self._policy.job_name is None and self.is_complete:
            self._tally += self._records.survey()
        return self._tally

    def perform(self) -> Purged:
        """Delete, until there is no more or somebody wants to stop, and return what it came to."""
        self._walk(lambda ids: in_transaction(self._alias, lambda: self._delete(ids), attempts=_ATTEMPTS))
        if self._policy.job_name is None and self.is_complete:
            self._tally += self._records.perform()
        return self._tally

    def _walk(self, work: Callable[[Sequence[int]], Purged]) -> None:
        newest = NewestOfJobs(self._rows(), set(Job.objects.using(self._alias).values_list("pk", flat=True)))
        for candidates in self._windows():
            ids = [each.pk for each in candidates if not self._is_kept(each, newest)]
            while ids and not self._pace.is_stopped:
                batch, ids = ids[: self._pace.size], ids[self._pace.size :]
                with self._pace.batch():
                    self._tally += work(batch)
            if self._pace.look():
                return

    def _rows(self) -> ExecutionQuerySet:
        return JobExecution.objects.using(self._alias).order_by()

    def _eligible(self) -> ExecutionQuerySet:
        return self._rows().alias(ended_at=_ENDED_AT).filter(self._policy.eligible)

    def _windows(self) -> Iterator[list[_Candidate]]:
        """Yield the candidates by ascending id, piece by piece, whatever the history grows by meanwhile."""
        ids = self._rows().values_list("pk", flat=True)
        first, last = ids.order_by("pk").first(), ids.order_by("-pk").first()
        start = first
        while start is not None and first is not None and last is not None:
            end = min(start + _WINDOW, last + 1)
            yield self._candidates(start, end)
            self._report(end - first, last + 1 - first, self._tally.executions)
            start = ids.filter(pk__gte=end, pk__lte=last).order_by("pk").first()

    def _candidates(self, start: int, end: int) -> list[_Candidate]:
        rows = self._eligible().filter(pk__gte=start, pk__lt=end).order_by("pk")
        is_old: Any = self._policy.by_age if self._policy.per_job is not None else Q(pk__isnull=False)
        flags = {"is_old": is_old, "is_started": Q(started_at__isnull=False), "is_decided": DECIDED}
        return [_Candidate(*row) for row in rows.annotate(**flags).values_list(*_Candidate._fields)]

    def _is_kept(self, each: _Candidate, newest: NewestOfJobs) -> bool:
        if newest.is_kept(each.pk, each.job_id, tuple(each.roles)):
            return True
        if each.is_old or self._policy.per_job is None:
            return False
        if each.job_id is None:
            return True
        group = FAILURES if each.status in FAILURES else OTHERS
        return each.pk >= newest.first_of(self._policy.per_job, each.job_id, group)

    def _count(self, ids: Sequence[int]) -> Purged:
        free = self._free(self._eligible().filter(among("pk", ids)).order_by("pk"))
        attempts, lines = _below(self._alias, free)
        return Purged(executions=len(free), attempts=attempts.count(), log_lines=lines.count())

    def _delete(self, ids: Sequence[int]) -> Purged:
        # Locked as they are now: what has been revived, or is held by somebody, is left.
        free = self._free(lock_unlocked(self._eligible().filter(among("pk", ids)).order_by("pk")))
        if not free:
            return Purged()
        attempts, lines = _below(self._alias, free)
        # First what would be lost from sight without its execution.
        deleted = {"log_lines": delete_rows(lines), "attempts": delete_rows(attempts)}
        return Purged(executions=delete_rows(self._rows().filter(among("pk", free))), **deleted)

    def _free(self, rows: QuerySet[JobExecution]) -> list[int]:
        """Return the ids of those rows that are in no flow of which something has to stay."""
        found = [_Place(*each) for each in rows.values_list("pk", "flow")]
        if not found:
            return []
        held = self._held_flows(found)
        # By number the members of a flow go one by one, and the root last.
        above = self._above_others(found) if self._policy.per_job is not None else frozenset()
        return [each.pk for each in found if each.root_id not in held and each.pk not in above]

    def _held_flows(self, found: Sequence[_Place]) -> set[int | None]:
        """Return the flows of these executions that have a member which is open, asks for a look, or is too young.

        A flow goes as a whole: as long as a part of it can be run again, what follows must know how the others ended.
        """
        roots, known = {each.root_id for each in found}, {each.pk for each in found}
        above = sorted(roots - known)
        staying = self._rows().alias(ended_at=_ENDED_AT).exclude(self._policy.eligible)
        conditions = [(_below_one_of(found), "flow")]
        if above:
            conditions += [(Q(flow__in=above), "flow"), (Q(pk__in=above), "pk")]
        held: set[int | None] = set()
        for condition, root in conditions:
            held |= set(staying.filter(condition).order_by(root).values_list(root, flat=True).distinct())
        return held

    def _above_others(self, found: Sequence[_Place]) -> Collection[int | None]:
        below = self._rows().filter(_below_one_of(found)).exclude(pk=F("flow"))
        return set(below.order_by("flow").values_list("flow", flat=True).distinct())


def _below_one_of(found: Sequence[_Place]) -> Q:
    """Return the condition for what is below one of these, by ascending id, or of others between them."""
    # A range is looked at sooner than all of them one by one.
    return Q(flow__gte=found[0].pk, flow__lte=found[-1].pk)


def _below(alias: str, ids: Sequence[int]) -> tuple[QuerySet[ExecutionAttempt], QuerySet[ExecutionLog]]:
    attempts = ExecutionAttempt.objects.using(alias).filter(among("execution_id", ids)).order_by()
    return attempts, ExecutionLog.objects.using(alias).filter(among("execution_id", ids)).order_by()
