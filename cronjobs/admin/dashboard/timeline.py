"""The past hour and the next half, one lane for each job: what ran, what runs, and what is going to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from django.db.models import Case, Value, When
from django.db.models.functions import Coalesce, NullIf, Right

from cronjobs.admin.badges import Tone, status_tone
from cronjobs.admin.dashboard.jobs import ComingJob, Jobs
from cronjobs.admin.executions.found import TAIL
from cronjobs.models import JobExecution
from cronjobs.states import OPEN, UNSUCCESSFUL, ExecutionStatus

PAST: Final = timedelta(hours=1)
AHEAD: Final = timedelta(minutes=30)
MOST_LANES: Final = 25
# So many rows are read; a lane has at most so many ticks.
MOST_ENDED: Final = 1_500
MOST_RUNNING: Final = 250
MOST_TICKS: Final = 90

# The picture is so many units wide, one for six seconds; how wide that is on a screen, the screen decides.
STEP: Final = timedelta(seconds=6)
WIDTH: Final = (PAST + AHEAD) // STEP
NOW_X: Final = PAST // STEP
# The least that can be seen.
_LEAST: Final = 3

_WORST: Final = (Tone.BAD, Tone.ODD, Tone.BUSY, Tone.GOOD, Tone.QUIET)


class ShownExecution(NamedTuple):
    """An execution that runs, or has ended within the past hour."""

    pk: int
    job_name: str
    status: str
    started_at: datetime | None
    finished_at: datetime | None
    node: str
    # The end of what it says, if it ended badly.
    error: str = ""

    @property
    def is_bad(self) -> bool:
        """Whether it ended badly."""
        return self.status in UNSUCCESSFUL

    @property
    def is_running(self) -> bool:
        """Whether it goes on."""
        return self.status == ExecutionStatus.RUNNING


_COLUMNS: Final = ("pk", "job_name", "status", "started_at", "finished_at", "node")
# Of the others nothing that may be long is read.
_ERROR: Final = Case(
    When(
        status__in=UNSUCCESSFUL,
        then=Coalesce(
            NullIf(Right("error_message", TAIL), Value("")), NullIf("error_type", Value("")), Right("reason", TAIL)
        ),
    ),
    default=Value(""),
)


@dataclass(slots=True)
class Bar:
    """One execution, or several on the same spot: of these the worst gives the tone, and the first the number."""

    x: int
    end: int
    tone: Tone
    runs: list[ShownExecution]

    @property
    def width(self) -> int:
        return self.end - self.x


@dataclass(slots=True)
class Lane:
    """A job (`pk` None: it is gone) with its bars and the places of its coming starts, all from left to right."""

    name: str
    pk: int | None = None
    runs: list[ShownExecution] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    ticks: list[int] = field(default_factory=list)
    next_start: datetime | None = None

    @property
    def latest(self) -> ShownExecution:
        """The execution that runs, or else ended last."""
        return max(self.runs, key=lambda each: (each.is_running, each.finished_at or each.started_at, each.pk))


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The lanes, by name, and what is left out: `more_lanes` jobs, and what ended before `since`."""

    now: datetime
    lanes: Sequence[Lane]
    more_lanes: int
    # None: everything was read.
    since: datetime | None
    # What ended badly, newest first.
    bad: Sequence[ShownExecution]
    running: int
    # The same by the process, which is a node or a Celery worker.
    running_on: Mapping[str, int]
    # There may be more that run than these.
    is_running_cut: bool


def read_timeline(jobs: Jobs) -> Timeline:
    """Return the timeline around the time that `jobs` are told for; takes two queries."""
    now = jobs.now
    running, ended = _running(), _ended(now - PAST)
    lanes: dict[str, Lane] = {}
    for run in (*running[:MOST_RUNNING], *ended[:MOST_ENDED]):
        lanes.setdefault(run.job_name, Lane(run.job_name, jobs.keys.get(run.job_name))).runs.append(run)
    shown = sorted(lanes.values(), key=_rank)[:MOST_LANES]
    shown += [Lane(each.facts.name, each.pk) for each in _soonest(jobs, set(lanes), MOST_LANES - len(shown))]
    coming = {each.pk: each for each in jobs.coming}
    for lane in shown:
        lane.bars = _merged(_bars(lane.runs, now))
        if lane.pk in coming:
            _add_ticks(lane, coming[lane.pk], jobs)
    return Timeline(
        now=now,
        # By name: rows that change places every few seconds cannot be read.
        lanes=sorted(shown, key=lambda each: each.name),
        more_lanes=max(0, len(lanes) - MOST_LANES),
        since=ended[MOST_ENDED - 1].finished_at if len(ended) > MOST_ENDED else None,
        bad=[each for each in ended[:MOST_ENDED] if each.is_bad],
        running=len(running[:MOST_RUNNING]),
        running_on=Counter(each.node for each in running[:MOST_RUNNING]),
        is_running_cut=len(running) > MOST_RUNNING,
    )


def _running() -> list[ShownExecution]:
    rows = JobExecution.objects.running().by_due_time()
    return [ShownExecution(*each) for each in rows.values_list(*_COLUMNS)[: MOST_RUNNING + 1]]


def _ended(since: datetime) -> list[ShownExecution]:
    # What is queued again keeps the time until it has ended once more.
    rows = JobExecution.objects.filter(finished_at__gte=since).exclude(status__in=OPEN).order_by("-finished_at")
    return [ShownExecution(*each) for each in rows.values_list(*_COLUMNS, _ERROR)[: MOST_ENDED + 1]]


def _rank(lane: Lane) -> tuple[int, float]:
    """Return the order in which jobs get lanes: those that run, those that failed, then the latest."""
    times = [at for each in lane.runs if (at := each.finished_at or each.started_at) is not None]
    latest = max((each.timestamp() for each in times), default=0.0)
    importance = 0 if lane.latest.is_running else 1 if any(each.is_bad for each in lane.runs) else 2
    return importance, -latest


def _soonest(jobs: Jobs, names: set[str], most: int) -> list[ComingJob]:
    """Return the jobs without a lane that start next; frequent ones first, which start within the half hour."""
    if most <= 0:
        return []
    until = jobs.now + AHEAD
    others = [each for each in jobs.coming if each.facts.name not in names]
    near = [each for each in others if each.coming.is_frequent or each.coming.starts[0] <= until]
    return sorted(near, key=lambda each: (each.coming.starts[:1], each.facts.name))[:most]


def _bars(runs: Iterable[ShownExecution], now: datetime) -> Iterator[Bar]:
    begin = now - PAST
    for run in runs:
        end = now if run.is_running else run.finished_at or now
        start = min(run.started_at or end, end)
        x = min(max((start - begin) // STEP, 0), NOW_X - _LEAST)
        right = min(max((end - begin) // STEP, x + _LEAST), NOW_X)
        yield Bar(x, right, status_tone(run.status), [run])


def _merged(bars: Iterable[Bar]) -> list[Bar]:
    """Return bars that do not overlap: those that would be on the same spot are one."""
    found: list[Bar] = []
    for bar in sorted(bars, key=lambda each: (each.x, each.end)):
        last = found[-1] if found else None
        if last is None or bar.x >= last.end:
            found.append(bar)
            continue
        last.end = max(last.end, bar.end)
        last.tone = min(last.tone, bar.tone, key=_WORST.index)
        last.runs += bar.runs
    return found


def _add_ticks(lane: Lane, job: ComingJob, jobs: Jobs) -> None:
    starts = jobs.next_starts(job, jobs.now + AHEAD, MOST_TICKS)
    lane.ticks = sorted({NOW_X + (each - jobs.now) // STEP for each in starts if each <= jobs.now + AHEAD})
    lane.next_start = starts[0] if starts else None
