"""Which jobs take longest, and which fail most."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cronjobs.admin.dashboard.hours import Hour

MOST = 5


@dataclass(frozen=True, slots=True)
class Ranked:
    """What ended of a job in some hours: what `JobHour` has, added up. Durations are in ms."""

    name: str
    ended: int
    unsuccessful: int
    judged: int
    durations: int
    duration_total: int
    duration_max: int

    @property
    def duration_mean(self) -> float:
        """How long its executions took on average."""
        return self.duration_total / self.durations if self.durations else 0.0

    @property
    def error_rate(self) -> float:
        """The error rate: the share of those that ended badly among them and the successes, from 0 to 1."""
        return self.unsuccessful / self.judged if self.judged else 0.0


def ranked(hours: Iterable[Hour]) -> list[Ranked]:
    """Return what ended of each job in `hours`."""
    found: dict[str, list[int]] = {}
    for hour in hours:
        # Of a thousand jobs these are very many steps: plain ones.
        for name, of in hour.jobs.items():
            total = found.get(name)
            if total is None:
                found[name] = list(of)
                continue
            for n in range(5):
                total[n] += of[n]
            total[5] = max(total[5], of.duration_max)
    return [Ranked(name, *total) for name, total in found.items()]


def slowest(jobs: Iterable[Ranked]) -> list[Ranked]:
    """Return the jobs whose executions took longest on average, slowest first."""
    return _first(jobs, lambda each: each.duration_mean)


def most_failing(jobs: Iterable[Ranked]) -> list[Ranked]:
    """Return the jobs of which most executions ended badly, worst first; none that had no such execution."""
    return _first(jobs, lambda each: each.unsuccessful)


def _first(jobs: Iterable[Ranked], value: Callable[[Ranked], float]) -> list[Ranked]:
    return sorted(filter(value, jobs), key=lambda each: (-value(each), each.name))[:MOST]
