"""When a message that was not taken is sent again."""

from __future__ import annotations

from datetime import datetime, timedelta

# After the first failure, the second, and so on; then every hour.
DELAYS = (timedelta(seconds=10), timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15))
LATER = timedelta(hours=1)
# Nobody is sent what was decided longer ago than this and has failed before.
LONGEST = timedelta(hours=24)


def next_attempt(failures: int, *, since: datetime, now: datetime) -> datetime | None:
    """Return when a message that has just failed for the `failures`-th time is sent again; None: it is given up.

    `since` is when its alert was decided.
    """
    due = now + (DELAYS[failures - 1] if failures <= len(DELAYS) else LATER)
    return due if due - since <= LONGEST else None
