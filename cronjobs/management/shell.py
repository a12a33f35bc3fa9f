"""What all commands of this app are: commands of a shell, in which what they print may be cut off."""

from __future__ import annotations

import os
import select
import sys
from typing import Any

from django.core.management.base import BaseCommand

# As a shell tells of any other program that a pipe has ended: 128 and the number of SIGPIPE.
_CUT_OFF = 141


class ShellCommand(BaseCommand):
    """A command that ends without a traceback when nobody reads on, as in ``cronstatus | head``."""

    def run_from_argv(self, argv: list[str]) -> None:
        try:
            try:
                super().run_from_argv(argv)
            finally:
                # Now, and not when Python ends: then nobody could do anything about it.
                sys.stdout.flush()
        except BrokenPipeError:
            # It may have been a connection of a job's.
            if not _is_cut_off(sys.stdout):
                raise
            # What is left to be written goes nowhere.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(_CUT_OFF)


def _is_cut_off(stream: Any) -> bool:
    """Return whether whoever read the stream has gone."""
    poll = select.poll()
    poll.register(stream.fileno(), 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))
