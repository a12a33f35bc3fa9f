#!/usr/bin/env python3
"""Hold Cron against a daemon played minute by minute, in every zone around every clock change, and time it.

Run it from the repository: python -m bench.sweep_schedules [--years 2026 2031]. It prints a table
and ends with status 1 if a due time differs. CronSim's own walk through zones is shown beside it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim

from cronjobs.scheduler.planner import Policy, plan
from cronjobs.schedules import ClockChange, Cron, clock_changes
from tests.unit.oracle import Line, daemon_runs

HOUR = timedelta(hours=1)
BEFORE, AFTER = 30 * HOUR, 54 * HOUR

EXPRESSIONS = [
    "* * * * *",
    "*/7 * * * *",
    "*/25 0-4 * * *",
    "0 * * * *",
    "59 * * * *",
    "30 */2 * * *",
    "* 2 * * *",
    "0 0 * * *",
    "30 0 * * *",
    "0 1 * * *",
    "30 1 * * *",
    "0 2 * * *",
    "15,45 2 * * *",
    "0 2,3 * * *",
    "0,15,59 1,2,3,23 * * *",
    "5 0-23 * * *",
    "59 23 * * *",
    "0 3 * * 0",
    "30 2 */2 * 0-6",
    "10 0 L * *",
    "45 23 1-7 * 7",
    "20 1 29 3,10 *",
]


def main() -> int:
    """Sweep, time, print; return the exit status."""
    years = _arguments().years
    start, end = (datetime(year, 1, 1, tzinfo=UTC) for year in years)
    _say(f"{len(EXPRESSIONS)} expressions, changes of {years[0]} to {years[1] - 1}, {BEFORE} before to {AFTER} after")
    figures = _sweep(start, end)
    for name, count in figures.items():
        _say(f"{count:>10,}  {name}")
    for name, milliseconds in _timings():
        _say(f"{milliseconds:>10.3f}  ms: {name}")
    return 1 if figures["windows in which Cron differs"] else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--years", nargs=2, type=int, default=[2026, 2031], metavar=("FROM", "TO"))
    return parser.parse_args()


def _sweep(start: datetime, end: datetime) -> Counter[str]:
    figures = Counter({"windows in which Cron differs": 0, "windows in which CronSim differs": 0})
    expected: dict[ClockChange, list[list[datetime]]] = {}
    for name in sorted(available_timezones() - {"Factory", "localtime"}):
        figures["zones"] += 1
        for change in clock_changes(ZoneInfo(name), start, end):
            if change not in expected:
                lines = [Line(expression) for expression in EXPRESSIONS]
                expected[change] = daemon_runs(lines, ZoneInfo(name), change.at - BEFORE, change.at + AFTER)
            figures["changes"] += 1
            figures.update(_compare(name, change, expected[change]))
    return figures


def _compare(name: str, change: ClockChange, expected: list[list[datetime]]) -> Counter[str]:
    figures: Counter[str] = Counter()
    start, end = change.at - BEFORE, change.at + AFTER
    for expression, runs in zip(EXPRESSIONS, expected, strict=True):
        figures["windows"] += 1
        figures["due times"] += len(runs)
        figures["windows in which Cron differs"] += not _agrees(Cron(expression, name), start, end, runs)
        figures["windows in which CronSim differs"] += list(_cronsim(expression, name, start, end)) != runs
    return figures


def _agrees(schedule: Cron, start: datetime, end: datetime, runs: list[datetime]) -> bool:
    return (
        list(schedule.due_between(start, end)) == runs
        and list(schedule.newest_first(start, end)) == runs[::-1]
        and schedule.count_between(start, end) == len(runs)
    )


def _cronsim(expression: str, name: str, start: datetime, end: datetime) -> Iterator[datetime]:
    walk = (t.astimezone(UTC) for t in CronSim(expression, start.astimezone(ZoneInfo(name))))
    return takewhile(lambda t: t <= end, walk)


def _timings() -> Iterator[tuple[str, float]]:
    for expression, zone in [("* * * * *", "America/New_York"), ("* * * * * *", "Europe/Paris")]:
        yield from _timings_of(Cron(expression, zone))


def _timings_of(schedule: Cron) -> Iterator[tuple[str, float]]:
    now = datetime(2026, 11, 25, 12, 0, 30, tzinfo=UTC)
    due = now - timedelta(days=365)
    yield f"a year of '{schedule}' planned, first", _time(lambda: plan(schedule, Policy(), due=due, now=now))
    yield f"a year of '{schedule}' planned, again", _time(lambda: plan(schedule, Policy(), due=due, now=now))
    yield f"next due time of '{schedule}'", _time(lambda: schedule.next_after(now))


def _time(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return (time.perf_counter() - started) * 1000


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
