"""A node whose clock stands still: for each instant it reads, it ticks and performs what is due, and says so."""

from __future__ import annotations

import os
import sys
from datetime import datetime

import django

django.setup()

from cronjobs.database import read_clock  # noqa: E402 - Django first
from cronjobs.models.moves import claim, record  # noqa: E402
from cronjobs.runner import Claim, perform  # noqa: E402
from cronjobs.scheduler.ticks import tick  # noqa: E402


def main() -> None:
    """Serve instants from standard input until it ends."""
    say("ready")
    for line in sys.stdin:
        tick(datetime.fromisoformat(line.strip()))
        while claimed := claim(node=str(os.getpid()), limit=2, now=now()).executions:
            record([], [perform(Claim.of(execution, job), now=now) for execution, job in claimed])
        say("done")


def say(word: str) -> None:
    """Answer the test that drives this node."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def now() -> datetime:
    """Return the database's time, by which claims go."""
    return read_clock("default")


if __name__ == "__main__":
    main()
