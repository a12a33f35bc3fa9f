"""Whether the promises were kept: what should have happened, what the rows say and what the witness saw, compared.

Pure: no database, no clock. Each rule returns sentences that name the rows which break it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

from bench.witness import Call

_OPEN = ("queued", "running")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An execution as the database has it in the end."""

    pk: int
    job: str
    due: datetime
    status: str
    attempt: int
    rerun_lost: bool = False
    has_lease: bool = False
    # Of each attempt that did not succeed: how it ended, and the process id of its node.
    attempts: Mapping[int, tuple[str, int]] = field(default_factory=dict)
    # The span of due times that a missed row stands for, and how many it says they are.
    missed: tuple[datetime, datetime, int] | None = None
    # Why it has not begun, of one that is queued.
    waits: str = ""

    def __str__(self) -> str:
        return f"execution {self.pk} of {self.job}, due {self.due:%H:%M:%S}, {self.status}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything there is to judge by.

    `expected` are the due times that each job had; `killed` the process ids of nodes that got SIGKILL.
    """

    expected: Mapping[str, Sequence[datetime]]
    rows: Sequence[Row]
    calls: Sequence[Call]
    killed: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The figures, and a sentence for each broken promise."""

    occurrences: int
    duplicates: int
    lost: int
    missed: int
    open: int
    broken: Sequence[str]


def judge(evidence: Evidence) -> Verdict:
    """Return what came of it."""
    doubled = [*_doubled_rows(evidence), *_repeated_calls(evidence)]
    others = [rule(evidence) for rule in (_unaccounted, _still_open, _unwitnessed, _lost_by_the_living, _miscounted)]
    return Verdict(
        occurrences=sum(len(times) for times in evidence.expected.values()),
        duplicates=len(doubled),
        lost=sum(outcome == "lost" for row in evidence.rows for outcome, _ in row.attempts.values()),
        missed=sum(row.missed[2] for row in evidence.rows if row.missed),
        open=sum(row.status in _OPEN for row in evidence.rows),
        broken=[*doubled, *(sentence for rule in others for sentence in rule)],
    )


def longest_gap(calls: Sequence[Call], job: str, start: datetime, end: datetime) -> timedelta:
    """Return the longest span between `start` and `end` in which `job` was never called."""
    times = sorted(call.at for call in calls if call.job == job and start < call.at < end)
    return max(after - before for before, after in pairwise([start, *times, end]))


def _doubled_rows(evidence: Evidence) -> Iterator[str]:
    for (job, due), number in Counter((row.job, row.due) for row in _occurrences(evidence)).items():
        if number > 1:
            yield f"{job} has {number} rows for {due:%H:%M:%S}."


def _repeated_calls(evidence: Evidence) -> Iterator[str]:
    """Find attempts that were called twice, and ones that followed an attempt after which none may."""
    rows = {row.pk: row for row in evidence.rows}
    for (pk, attempt), number in Counter((call.execution, call.attempt) for call in evidence.calls).items():
        row = rows.get(pk)
        if number > 1:
            yield f"{row or f'Execution {pk}'}: attempt {attempt} was called {number} times."
        if row is None:
            yield f"Execution {pk} was called and has no row."
            continue
        if attempt > row.attempt:
            yield f"{row}: attempt {attempt} was called, and the row knows {row.attempt}."
        before = row.attempts.get(attempt - 1, ("nothing recorded", 0))[0]
        if attempt > 1 and not (before == "failed" or (before == "lost" and row.rerun_lost)):
            yield f"{row}: attempt {attempt} was called after {before}."


def _unaccounted(evidence: Evidence) -> Iterator[str]:
    known = {(row.job, row.due) for row in _occurrences(evidence)}
    spans = _missed_spans(evidence)
    for job, times in evidence.expected.items():
        for due in times:
            if (job, due) not in known and not any(first <= due <= last for first, last, _ in spans[job]):
                yield f"{job} has nothing for {due:%H:%M:%S}."


def _miscounted(evidence: Evidence) -> Iterator[str]:
    """Find missed rows whose number is not that of the due times in their span which have no row of their own."""
    known = {(row.job, row.due) for row in _occurrences(evidence)}
    for job, spans in _missed_spans(evidence).items():
        times = evidence.expected.get(job, ())
        for first, last, said in spans:
            absent = [due for due in times if first <= due <= last and (job, due) not in known]
            if times and times[0] <= first and last <= times[-1] and len(absent) != said:
                yield f"{job}: {said} missed from {first:%H:%M:%S} to {last:%H:%M:%S}, but {len(absent)} have no row."


def _still_open(evidence: Evidence) -> Iterator[str]:
    for row in evidence.rows:
        if row.status in _OPEN:
            yield f"{row}: it is still open after attempt {row.attempt}. {row.waits}".rstrip()
        elif row.has_lease:
            yield f"{row}: its lease was never given up."


def _unwitnessed(evidence: Evidence) -> Iterator[str]:
    called = {(call.execution, call.attempt) for call in evidence.calls}
    for row in evidence.rows:
        if row.status == "succeeded" and (row.pk, row.attempt) not in called:
            yield f"{row}: nobody saw it run."
        if row.status in ("skipped", "missed") and any(pk == row.pk for pk, _ in called):
            yield f"{row}: it ran all the same."


def _lost_by_the_living(evidence: Evidence) -> Iterator[str]:
    for row in evidence.rows:
        for attempt, (outcome, pid) in row.attempts.items():
            if outcome == "lost" and pid not in evidence.killed:
                yield f"{row}: attempt {attempt} was declared lost, but its node, process {pid}, had not been killed."


def _occurrences(evidence: Evidence) -> list[Row]:
    return [row for row in evidence.rows if row.missed is None]


def _missed_spans(evidence: Evidence) -> Mapping[str, list[tuple[datetime, datetime, int]]]:
    spans = defaultdict(list)
    for row in evidence.rows:
        if row.missed:
            spans[row.job].append(row.missed)
    return spans
