"""How many more executions may start: counted over all nodes, under locks on the rows that limit them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from typing import Any

from django.db.models import Count, F, Q, QuerySet

from cronjobs.conf import get_settings
from cronjobs.database import lock_unlocked, read_clock
from cronjobs.exceptions import CronJobsError
from cronjobs.language import gettext as _
from cronjobs.language import gettext_noop
from cronjobs.limits import RateLimit
from cronjobs.models.asking import ask_about, is_asked_about
from cronjobs.models.attempt import ExecutionAttempt
from cronjobs.models.execution import SERIAL, JobExecution
from cronjobs.models.job import Job
from cronjobs.models.queue import Queue

# From rows to the same rows, locked, without those that somebody else has locked.
_Lock = Callable[[QuerySet[Any]], QuerySet[Any]]
_Query = Callable[[str], QuerySet[Any]]

_IN_USE = gettext_noop("Somebody else is claiming from it in this moment.")


@dataclass(frozen=True, slots=True)
class JobLimit:
    """How many executions of a job may run at once, and how many may start in a period."""

    at_once: float = math.inf
    rate: RateLimit | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an execution may not start yet, and whether that is its queue's doing or its job's."""

    reason: str
    is_queue_s: bool = False


class Places:
    """Hands out places to executions that this transaction has locked, while there are any.

    Locks jobs, then queues, each in ascending order. A row that is locked is passed over, not
    waited for, and so are the executions that it limits: two claims can never wait for each
    other. Where nothing is limited there is no lock, and no statement. `is_looking` takes no
    locks: for whoever only wants to tell what would happen.
    """

    def __init__(
        self, candidates: Sequence[JobExecution], jobs: Mapping[int, Job], alias: str, *, is_looking: bool = False
    ) -> None:
        lock: _Lock = _leave_unlocked if is_looking else lock_unlocked
        serial = {each.job_id for each in candidates if each.trigger in SERIAL}
        limits = {pk: limit_of(job) for pk, job in jobs.items()}
        limits = {pk: limit for pk, limit in limits.items() if limit != JobLimit() or pk in serial}
        queues = {pk for each in candidates if (pk := each.limited_queue) is not None}  # type: ignore[attr-defined]  # annotated
        self._jobs, self._queues = _JobPlaces(limits, alias, lock), _QueuePlaces(queues, alias, lock)

    @property
    def counted_at(self) -> datetime | None:
        """When, by the database's clock, starts were counted: what starts now must be stamped with it. None: never."""
        return self._jobs.counted_at

    def counts_starts_of(self, execution: JobExecution) -> bool:
        """Return whether a rate limits how many executions like this one start in a period."""
        return self._jobs.counts_starts_of(execution.job_id or 0)

    def take(self, execution: JobExecution) -> Refusal | None:
        """Give `execution` a place; return why there is none if so."""
        refusal = self._jobs.refusal(execution) or self._queues.refusal(execution)
        if refusal is None:
            self._jobs.count(execution)
            self._queues.count(execution)
        return refusal


def _leave_unlocked(rows: QuerySet[Any]) -> QuerySet[Any]:
    return rows


def limit_of(job: Job) -> JobLimit:
    """Return what limits the job; of a broken one, that one execution after another fails with the reason."""
    try:
        resolved = job.resolve()
    except CronJobsError:
        return JobLimit(1)
    at_once = resolved.concurrency
    return JobLimit(math.inf if at_once is None else at_once, resolved.rate_limit)


class _JobPlaces:
    def __init__(self, limits: Mapping[int, JobLimit], alias: str, lock: _Lock) -> None:
        self._limits = limits
        self._locked: set[int] = set()
        # What is worked off one by one is counted apart.
        self._running: Counter[tuple[int | None, bool]] = Counter()
        self._started: Counter[int] = Counter()
        self.counted_at: datetime | None = None
        if limits:
            self._locked = {pk for (pk,) in ask_about(partial(_jobs, lock), alias, limits)}
            self._count_running(alias)
            self._count_starts(alias)

    def counts_starts_of(self, job_id: int) -> bool:
        limit = self._limits.get(job_id)
        return limit is not None and limit.rate is not None

    def refusal(self, execution: JobExecution) -> Refusal | None:
        job_id = execution.job_id or 0
        limit = self._limits.get(job_id)
        if limit is None:
            return None
        if job_id not in self._locked:
            return Refusal(_(_IN_USE))
        serial, beside = self._running[job_id, True], self._running[job_id, False]
        if serial + beside >= limit.at_once or (execution.trigger in SERIAL and serial):
            return Refusal(_("%(job)s runs as often as it may at once.") % {"job": execution.job_name})
        if limit.rate is not None and self._started[job_id] >= limit.rate.starts:
            text = _("%(job)s has started as often as its rate limit, %(limit)s, allows.")
            return Refusal(text % {"job": execution.job_name, "limit": limit.rate})
        return None

    def count(self, execution: JobExecution) -> None:
        if (execution.job_id or 0) in self._limits:
            self._running[execution.job_id, execution.trigger in SERIAL] += 1
            self._started[execution.job_id or 0] += 1

    def _count_running(self, alias: str) -> None:
        if not self._locked:
            return
        count = partial(_running, bool(get_settings().celery_app))
        for job_id, trigger, number in ask_about(count, alias, self._locked):
            self._running[job_id, trigger in SERIAL] += number

    def _count_starts(self, alias: str) -> None:
        rates = {pk: rate for pk, limit in self._limits.items() if (rate := limit.rate) and pk in self._locked}
        if not rates:
            return
        # Under the locks, so that whatever another claim has counted and stamped lies before it.
        self.counted_at = read_clock(alias)
        latest, earlier = Q(pk__in=()), Q(pk__in=())
        for pk, rate in rates.items():
            since = self.counted_at - rate.period
            latest |= Q(job_id=pk, started_at__gt=since)
            earlier |= Q(execution__job_id=pk, execution__started_at__gt=since, started_at__gt=since)
        if get_settings().celery_app:
            # What a worker may begin at any moment. Before those that have started: what it begins between the two
            # statements is counted twice, and not missed by both.
            self._add_starts(
                JobExecution.objects.using(alias).dispatched().filter(job_id__in=rates).order_by(), "job_id"
            )
        executions = JobExecution.objects.using(alias).filter(latest).order_by()
        # An execution has the start of its latest attempt; those before are rows of their own.
        attempts = ExecutionAttempt.objects.using(alias).filter(earlier, attempt__lt=F("execution__attempt")).order_by()
        self._add_starts(executions, "job_id")
        self._add_starts(attempts, "execution__job_id")

    def _add_starts(self, rows: QuerySet[JobExecution] | QuerySet[ExecutionAttempt], job: str) -> None:
        self._started.update(dict(rows.values_list(job).annotate(Count("pk"))))


@lru_cache(maxsize=32)
def _jobs(lock: _Lock, places: int) -> _Query:
    """Return what makes the query for so many jobs, locked, in the order in which everybody locks them."""
    return lambda alias: lock(
        Job.objects.using(alias).filter(is_asked_about("pk", places)).order_by("pk").values_list("pk")
    )


@lru_cache(maxsize=32)
def _running(_with_celery: bool, places: int) -> _Query:  # noqa: FBT001 - told apart only, for the query is another one
    """Return what makes the query for how many executions of so many jobs have a place, by job and trigger."""

    def make(alias: str) -> QuerySet[Any]:
        rows = JobExecution.objects.using(alias).in_a_place().filter(is_asked_about("job_id", places))
        return rows.order_by().values_list("job_id", "trigger").annotate(Count("pk"))

    return make


class _QueuePlaces:
    def __init__(self, ids: set[int], alias: str, lock: _Lock) -> None:
        self._left: dict[int, float] = {}
        if not ids:
            return
        queues = Queue.objects.using(alias).filter(pk__in=ids)
        locked = {
            queue.pk: math.inf if queue.limit is None else queue.limit
            for queue in lock(queues.order_by("pk"))
            if not queue.paused
        }
        # Counted after the lock, by a statement of its own: one that began before it could not see the latest claim.
        counted: QuerySet[Any] = queues.filter(pk__in=locked).with_places_taken()
        self._left = {each.pk: locked[each.pk] - each.places_taken for each in counted} if locked else {}

    def refusal(self, execution: JobExecution) -> Refusal | None:
        queue: int | None = execution.limited_queue  # type: ignore[attr-defined]  # annotated
        if queue is None:
            return None
        if queue not in self._left:
            return Refusal(_(_IN_USE), is_queue_s=True)
        if self._left[queue] <= 0:
            text = _("Queue %(queue)s runs as much as it may at once.")
            return Refusal(text % {"queue": execution.queue}, is_queue_s=True)
        return None

    def count(self, execution: JobExecution) -> None:
        queue: int | None = execution.limited_queue  # type: ignore[attr-defined]  # annotated
        if queue is not None:
            self._left[queue] -= 1
