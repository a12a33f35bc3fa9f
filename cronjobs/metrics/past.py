"""What has ended of each job since the beginning: counters and histograms, which never fall."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from cronjobs.metrics.families import Family, Kind, histogram, labels, sample
from cronjobs.models import Job
from cronjobs.models.counters import read_counters
from cronjobs.models.counts import BOUNDS, DURATION_BUCKETS, LATENESS_BUCKETS, OUTCOMES, PLACE_OF
from cronjobs.models.figures import nothing_counted
from cronjobs.models.rollups import BEGINNING, rolled_up_until
from cronjobs.states import ExecutionStatus

# As OpenMetrics wants them: 1.0, and not 1.
_BOUNDS: Final = tuple(repr(bound / 1_000) for bound in BOUNDS)
_DURATIONS: Final = slice(PLACE_OF[DURATION_BUCKETS[0]], PLACE_OF[DURATION_BUCKETS[-1]] + 1)
_LATENESS: Final = slice(PLACE_OF[LATENESS_BUCKETS[0]], PLACE_OF[LATENESS_BUCKETS[-1]] + 1)

# The text of as many jobs is kept for as long as their numbers stay the same.
_MOST_KEPT: Final = 4_096


class _JobText(NamedTuple):
    """The lines of one job in each metric."""

    executions: str
    retries: str
    missed: str
    lost: str
    documents: str
    durations: str
    lateness: str


def what_ended() -> Iterator[Family]:
    """Yield what has ended; of a job of which nothing has, noughts, so that the first one is seen as one more."""
    counters = read_counters()
    for name in Job.objects.order_by().values_list("name", flat=True):
        counters.setdefault(name, nothing_counted())
    jobs = [_text(name, tuple(counted)) for name, counted in sorted(counters.items())]

    def family(name: str, kind: Kind, meaning: str, samples: Iterable[str], *others: str) -> Family:
        return Family(name, kind, meaning, samples, ("job", *others))

    meaning = "Executions that ended, by how they did."
    yield family("executions", "counter", meaning, (of.executions for of in jobs), "outcome")
    meaning = "Attempts after the first one of each execution that ended."
    yield family("retries", "counter", meaning, (of.retries for of in jobs))
    yield family("missed", "counter", "Due times that nobody was there to serve.", (of.missed for of in jobs))
    meaning = "Executions whose worker vanished, and that were not run again."
    yield family("lost", "counter", meaning, (of.lost for of in jobs))
    meaning = "Documents that were modified, as results say (modifiedCount)."
    yield family("documents_modified", "counter", meaning, (of.documents for of in jobs))
    meaning = "How long the last attempts of executions took."
    yield family("execution_duration_seconds", "histogram", meaning, (of.durations for of in jobs))
    meaning = "How long after their times executions began."
    yield family("execution_lateness_seconds", "histogram", meaning, (of.lateness for of in jobs))
    until = rolled_up_until()
    meaning = "The time before which all that ended is in the hourly roll-ups."
    yield Family.single("rolled_up_until_timestamp_seconds", meaning, None if until == BEGINNING else until.timestamp())


@lru_cache(maxsize=_MOST_KEPT)
def _text(name: str, counted: Sequence[int]) -> _JobText:
    of = labels(job=name)

    def number(column: str) -> int:
        return counted[PLACE_OF[column]]

    return _JobText(
        executions="".join(
            sample("executions_total", f'{of},outcome="{outcome}"', number(outcome)) for outcome in OUTCOMES
        ),
        retries=sample("retries_total", of, number("retries")),
        missed=sample("missed_total", of, number("missed_due_times")),
        lost=sample("lost_total", of, number(ExecutionStatus.LOST)),
        documents=sample("documents_modified_total", of, number("documents")),
        durations=histogram(
            "execution_duration_seconds",
            of,
            bounds=_BOUNDS,
            counts=counted[_DURATIONS],
            number=number("durations"),
            total=number("duration_total") / 1_000,
        ),
        lateness=histogram(
            "execution_lateness_seconds",
            of,
            bounds=_BOUNDS,
            counts=counted[_LATENESS],
            number=number("starts"),
            total=number("lateness_total") / 1_000,
        ),
    )
