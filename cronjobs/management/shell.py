"""What all commands of this app are: commands of a shell, which may be cut off, interrupted, and read by programs."""

from __future__ import annotations

import os
import select
import sys
from typing import Any

from django.core.management.base import BaseCommand
from django.core.management.color import no_style

# As a shell tells of any other program that a pipe has ended: 128 and the number of SIGPIPE.
_CUT_OFF = 141
# The same for SIGINT.
_INTERRUPTED = 130


class ShellCommand(BaseCommand):
    """A command that ends without a traceback when nobody reads on, or wants it to go on.

    It is coloured on a terminal only, by Django's options and ``NO_COLOR``.
    """

    _is_coloured = False

    def run_from_argv(self, argv: list[str]) -> None:
        try:
            try:
                super().run_from_argv(argv)
            finally:
                # Now, and not when Python ends: then nobody could do anything about it.
                sys.stdout.flush()
        except KeyboardInterrupt:
            # What has to be said of it, a command says itself.
            self.stderr.write("Interrupted.")
            sys.exit(_INTERRUPTED)
        except BrokenPipeError:
            # It may have been a connection of a job's.
            if not _is_cut_off(sys.stdout):
                raise
            # What is left to be written goes nowhere.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(_CUT_OFF)

    def execute(self, *args: Any, **options: Any) -> str | None:
        if os.environ.get("NO_COLOR") and not options.get("force_color"):
            options["no_color"] = True
        if (stream := options.get("stdout")) and not stream.isatty():
            # Django looks at the terminal of the process, whoever the output is for.
            self.style = no_style()
        self._is_coloured = bool(options.get("force_color"))
        return super().execute(*args, **options)

    def check(self, *args: Any, **options: Any) -> None:
        # To Django 6.1 no word of databases means all of them, and one may be away: the command itself tells of that.
        super().check(*args, **{"databases": [], **options})

    def warn(self, sentence: str) -> None:
        """Say on standard error what somebody should know, although all goes well."""
        is_coloured = self._is_coloured or self.stderr.isatty()
        self.stderr.write(sentence, self.style.WARNING if is_coloured else str)


def _is_cut_off(stream: Any) -> bool:
    """Return whether whoever read the stream has gone."""
    poll = select.poll()
    poll.register(stream.fileno(), 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))
