"""The executions of each job that others lean on, and that stay for this however old they are."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from enum import Enum, auto

from django.db.models import Q
from django.db.models.functions import Coalesce

from cronjobs.models import Trigger
from cronjobs.models.execution import ExecutionQuerySet
from cronjobs.states import ExecutionStatus

# What one tick has written of a job ends with its latest due time, or nearly so.
_NEAR_THE_END = 100
_FIRST_PAGE, _LARGEST_PAGE = 100, 5_000


class Role(Enum):
    """What the newest execution of a kind is needed for."""

    # What became of the job.
    NEWEST = auto()
    # When it succeeded last.
    SUCCESS = auto()
    # When it ran last.
    START = auto()
    # How far its due times have been decided: a clock row that was lost is made of it.
    DECIDED = auto()


DECIDED = Q(trigger__in=(Trigger.SCHEDULE, Trigger.CATCH_UP))


class NewestOfJobs:
    """Knows, of the jobs that there are, which executions stay; looks each of them up when it is asked for.

    What was the newest stays known as such: whatever is recorded meanwhile makes no difference.
    """

    def __init__(self, rows: ExecutionQuerySet, job_ids: Collection[int]) -> None:
        self._rows, self._job_ids = rows, frozenset(job_ids)
        self._found: dict[tuple[int, Role], int | None] = {}
        self._limits: dict[tuple[int, tuple[str, ...]], int] = {}

    def is_kept(self, pk: int, job_id: int | None, roles: Collection[Role]) -> bool:
        """Return whether the execution is its job's newest in one of `roles`; of a job that is gone none is."""
        return job_id in self._job_ids and any(self._newest(job_id or 0, role) == pk for role in roles)

    def first_of(self, number: int, job_id: int, statuses: tuple[str, ...]) -> int:
        """Return the id of the oldest among the `number` newest of the job with one of `statuses`; 0: there are fewer."""
        key = (job_id, statuses)
        if key not in self._limits:
            newest = self._matching(job_id, Q(status__in=statuses), number)
            self._limits[key] = newest[-1] if len(newest) == number else 0
        return self._limits[key]

    def _newest(self, job_id: int, role: Role) -> int | None:
        key = (job_id, role)
        if key not in self._found:
            self._found[key] = self._look_up(job_id, role)
        return self._found[key]

    def _look_up(self, job_id: int, role: Role) -> int | None:
        of_job = self._rows.filter(job_id=job_id)
        if role == Role.START:
            started = of_job.filter(started_at__isnull=False).order_by("-started_at", "-pk")
            return started.values_list("pk", flat=True).first()
        if role == Role.DECIDED:
            last = self._matching(job_id, DECIDED, _NEAR_THE_END)
            # As whoever makes a clock row of it reads it.
            latest = self._rows.filter(pk__in=last).order_by(Coalesce("missed_until", "scheduled_for").desc(), "-pk")
            return latest.values_list("pk", flat=True).first()
        condition = Q(status=ExecutionStatus.SUCCEEDED) if role == Role.SUCCESS else Q()
        return next(iter(self._matching(job_id, condition, 1)), None)

    def _matching(self, job_id: int, condition: Q, number: int) -> list[int]:
        """Return the ids of the newest executions of the job that match, newest first, at most `number`."""
        found: list[int] = []
        for page in self._pages(job_id, condition):
            found += page
            if len(found) >= number:
                break
        return found[:number]

    def _pages(self, job_id: int, condition: Q) -> Iterator[list[int]]:
        """Yield what matches piece by piece: of a kind that is rare, one statement would read the whole history."""
        rows = self._rows.filter(job_id=job_id).order_by("-pk").annotate(is_wanted=condition or Q(pk__isnull=False))
        pairs, size = rows.values_list("pk", "is_wanted"), _FIRST_PAGE
        page = list(pairs[:size])
        while page:
            yield [pk for pk, is_wanted in page if is_wanted]
            size = min(size * 4, _LARGEST_PAGE)
            page = list(pairs.filter(pk__lt=page[-1][0])[:size])
