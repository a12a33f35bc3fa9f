"""What ended in each of the last 24 hours: of all jobs together and, in short, of each."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Final, NamedTuple

from cronjobs.database import engine_alias
from cronjobs.history import Period, boundaries
from cronjobs.models import JobExecution
from cronjobs.models.figures import (
    DURATION,
    ModifyingExecution,
    Percentiles,
    Tally,
    ended_between,
    modifying_executions,
    percentiles_of_all,
    tally,
)
from cronjobs.states import UNSUCCESSFUL, ExecutionStatus

SPAN: Final = timedelta(hours=24)

# What ended is written a moment later, and longer after an outage; until then an hour may still change.
_SETTLED = timedelta(minutes=15)
# A day in each of a few zones that are not whole hours apart.
_MOST_HOURS = 100


class JobHour(NamedTuple):
    """What ended of one job: how many, badly, badly or well, and how long those took that have a duration (ms)."""

    ended: int
    unsuccessful: int
    judged: int
    durations: int
    duration_total: int
    duration_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """What ended from `since` on and before `until` (UTC)."""

    since: datetime
    until: datetime
    outcomes: Mapping[str, int] = field(default_factory=dict)
    # None: nothing that ended has a duration.
    duration: Percentiles | None = None
    jobs: Mapping[str, JobHour] = field(default_factory=dict)
    # Newest first.
    runs: Sequence[ModifyingExecution] = ()

    @property
    def ended(self) -> int:
        """How many ended, however they did."""
        return sum(self.outcomes.values())

    @property
    def unsuccessful(self) -> int:
        """How many ended badly."""
        return sum(self.outcomes.get(each, 0) for each in UNSUCCESSFUL)

    @property
    def error_rate(self) -> float | None:
        """The share of those that ended badly, from 0 to 1, among them and the successes; None: there are neither."""
        return error_rate([self])


def error_rate(hours: Iterable[Hour]) -> float | None:
    """Return the share of what ended badly in `hours`, as `Hour.error_rate` does for one."""
    pairs = [(each.unsuccessful, each.outcomes.get(ExecutionStatus.SUCCEEDED, 0)) for each in hours]
    bad = sum(unsuccessful for unsuccessful, _ in pairs)
    judged = bad + sum(succeeded for _, succeeded in pairs)
    return bad / judged if judged else None


# By database, and by the time at which an hour began. What has ended does not end again: so only the present hour
# is counted each time, which else takes seconds after a day with a million executions. One thing may still change
# a past hour, and is shown only by the next process: a back-fill revives what was skipped. No purge reaches so far.
_known: dict[tuple[str, datetime], Hour] = {}


def last_hours(now: datetime, zone: tzinfo) -> list[Hour]:
    """Return the present hour, which is not over, and the 23 before it, oldest first: hours by the clock of `zone`.

    Takes three queries.
    """
    alias = engine_alias(JobExecution)
    # What ends while this is read belongs to the present hour.
    bounds = [*boundaries(now - SPAN, now, period=Period.HOUR, zone=zone)[1:-1], now + timedelta(minutes=1)]
    known = 0
    while known < len(bounds) - 2 and (alias, bounds[known]) in _known:
        known += 1
    found = [_known[alias, each] for each in bounds[:known]] + _count(bounds[known:])
    _remember(alias, [each for each in found[known:] if each.until <= now - _SETTLED])
    return found


def forget_hours() -> None:
    """Count every hour anew the next time."""
    _known.clear()


def _remember(alias: str, hours: Iterable[Hour]) -> None:
    for each in hours:
        _known[alias, each.since] = each
    for key in sorted(_known, key=lambda key: key[1])[: max(0, len(_known) - _MOST_HOURS)]:
        # Another thread may have been quicker.
        _known.pop(key, None)


def _count(bounds: Sequence[datetime]) -> list[Hour]:
    ended, edges = ended_between(bounds[0], bounds[-1]), bounds[1:-1]
    tallies: defaultdict[int, dict[str, Tally]] = defaultdict(dict)
    for (name, period), each in tally(ended, edges).items():
        tallies[period][name] = each
    durations, runs = percentiles_of_all(ended, edges, DURATION), modifying_executions(ended)
    hours = []
    for number, (since, until) in enumerate(pairwise(bounds)):
        outcomes: Counter[str] = Counter()
        for each in tallies[number].values():
            outcomes.update(each.outcomes)
        hours.append(
            Hour(
                since=since,
                until=until,
                outcomes={status: count for status, count in outcomes.items() if count},
                duration=durations.get(number),
                jobs={name: _job_hour(each) for name, each in tallies[number].items()},
                runs=[each for each in runs if since <= each.finished_at < until],
            )
        )
    return hours


def _job_hour(of: Tally) -> JobHour:
    unsuccessful = sum(of.outcomes[each] for each in UNSUCCESSFUL)
    return JobHour(
        ended=sum(of.outcomes.values()),
        unsuccessful=unsuccessful,
        judged=unsuccessful + of.outcomes[ExecutionStatus.SUCCEEDED],
        durations=of.durations,
        duration_total=of.duration_total,
        duration_max=of.duration_max or 0,
    )
