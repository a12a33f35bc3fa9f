"""Other schedulers for Django on the same work, on the same machine, in the same run.

They are run by a program of their own, `bench.py`, whose README tells how it is set up. Where it
lies is told by `--peers-home` or the variable PEERS; it is expected to have its Python in `venv` or
`.venv` below that, and its servers' state in `home` or `.peers`, unless PEERS_HOME says otherwise.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from bench import _bench as bench

STACKS = ("aps", "q2-orm", "q2-redis", "celery", "huey", "procrastinate", "dts")
# The others keep what they did, if at all, in Redis alone, until it expires.
WITH_SQL_HISTORY = ("aps", "q2-orm", "q2-redis", "celery", "procrastinate")
# The others know whole minutes.
WITH_SECONDS = ("aps", "celery", "procrastinate", "dts")
# What runs on SQLite as well has a second name.
_ON_SQLITE = {f"{stack}-sqlite": stack for stack in ("aps", "q2-orm", "celery")}

Rows = Sequence[Mapping[str, Any]]


def parse_arguments(
    description: str, add: Callable[[ArgumentParser], None] = lambda parser: None, **numbers: tuple[float, str]
) -> Namespace:
    """Return the command line's options as `_bench` does, with which peers are run, and where they are."""

    def add_all(parser: ArgumentParser) -> None:
        _add_options(parser)
        add(parser)

    options = bench.parse_arguments(description, add_all, **numbers)
    if options.peers and options.peers_home is None:
        sys.exit("Where the peers are is not known: say --peers-home DIR, or set PEERS.")
    return options


def _add_options(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--peers",
        type=_names,
        default=(),
        metavar="NAMES",
        help=f"Peers to run beside it, with commas between them: {', '.join((*STACKS, *_ON_SQLITE))}; or all.",
    )
    parser.add_argument(
        "--peers-home",
        type=Path,
        default=os.environ.get("PEERS") or None,
        metavar="DIR",
        help="Where their bench.py lies, set up (the variable PEERS).",
    )


def run(options: Namespace, what: str, *arguments: str, of: Iterable[str] = (), rounds: int = 1) -> dict[str, Rows]:
    """Let each of the peers take the measurement `what`, and return what it printed, by name; of some only those `of` it."""
    found = {}
    for name in options.peers:
        stack = stack_of(name)
        if of and stack not in of:
            continue
        sys.stderr.write(f"Measuring {name} …\n")
        options_of_it = ["--stack", stack, "--reps", str(rounds), *(["--db", "sqlite"] if name in _ON_SQLITE else [])]
        if rows := _run(Path(options.peers_home).resolve(), [what, *options_of_it, *arguments]):
            found[name] = rows
    return found


def stack_of(name: str) -> str:
    """Return which program it is, whatever its database."""
    return _ON_SQLITE.get(name, name)


def middle(rows: Rows, key: str) -> float:
    """Return the median of one figure over the rounds; of figures by process, their sum."""
    values = [row[key] for row in rows if row.get(key) is not None]
    return float(median(sum(each.values()) if isinstance(each, Mapping) else each for each in values)) if values else 0


def compared(
    what: str,
    ours: float,
    theirs: Mapping[str, float],
    *,
    goal: float | None = None,
    unit: str = "",
    least: bool = True,
) -> list[bench.Figure]:
    """Return each peer's figure, and how much better ours is than the best of theirs; the `least` is best, or the most."""
    figures = [
        bench.Figure(metric=f"{name}: {what}", value=round(value, 3), unit=unit) for name, value in theirs.items()
    ]
    known = {name: value for name, value in theirs.items() if value > 0}
    if not known or not ours:
        return figures
    best = min(known, key=lambda name: known[name] if least else -known[name])
    ratio = known[best] / ours if least else ours / known[best]
    metric = f"{what}: so many times better than {best}"
    return [*figures, bench.Figure(metric=metric, value=round(ratio, 2), goal=goal, is_more_better=True)]


def _names(text: str) -> tuple[str, ...]:
    names = STACKS if text == "all" else tuple(filter(None, text.split(",")))
    for name in names:
        if name not in STACKS and name not in _ON_SQLITE:
            raise ArgumentTypeError(f"There is no peer {name!r}.")
    return names


def _run(home: Path, arguments: Sequence[str]) -> Rows:
    # What was set for our own nodes is nothing to them.
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("DJANGO_", "DATABASE_", "BENCH_"))
    }
    state = os.environ.get("PEERS_HOME") or str(_first(home, "home", ".peers"))
    command = [str(_first(home, "venv", ".venv") / "bin/python"), str(home / "bench.py"), *arguments]
    done = subprocess.run(  # noqa: S603 - the program that was named
        command, env={**kept, "PEERS_HOME": state}, cwd=home, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.stderr.write(f"It failed, and is left out:\n{done.stderr[-2_000:]}\n")
        return []
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def _first(home: Path, *names: str) -> Path:
    found = [home / name for name in names if (home / name).is_dir()]
    return found[0] if found else home / names[0]
