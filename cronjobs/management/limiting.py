"""Commands that a supervisor waits for: they end in time, whatever hangs."""

from __future__ import annotations

import os
import sys
import threading
from argparse import ArgumentTypeError
from collections.abc import Iterator
from contextlib import contextmanager

_LONGEST = 3_600.0


def timeout(text: str) -> float:
    """Return the seconds that an argument says, as a limit."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= _LONGEST:
        raise ArgumentTypeError(f"{text!r} is not a number of seconds, above 0 and up to {_LONGEST:.0f}.")
    return seconds


@contextmanager
def at_most(seconds: float, *, complaint: str) -> Iterator[None]:
    """End this process with exit code 1 and `complaint`, one sentence, if what is done here takes longer.

    A driver that waits for a server heeds neither signals nor exceptions: nothing less ends it.
    """
    timer = threading.Timer(seconds, _give_up, args=(complaint,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _give_up(complaint: str) -> None:
    sys.stderr.write(f"CommandError: {complaint}\n")
    sys.stderr.flush()
    os._exit(1)
