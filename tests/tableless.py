"""Runs commands one after the other in this process, as a shell would, and writes what became of each as JSON.

``python -m tests.tableless '[["cronstatus"], ["cronlog", "1"]]'``: for a database that has no tables, which the
tests' own always has.
"""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO

import django
from django.core.management import load_command_class


class _Text(StringIO):
    """Standard output that can be flushed and asked, as a file can."""

    def fileno(self) -> int:
        return sys.__stdout__.fileno() if sys.__stdout__ else 1


def outcome_of(arguments: list[str]) -> dict[str, object]:
    """Return what a command printed, the code it exited with, and the error that nobody caught."""
    out, err, code, uncaught = _Text(), _Text(), 0, ""
    with redirect_stdout(out), redirect_stderr(err):
        try:
            command = load_command_class("cronjobs", arguments[0])
            command.run_from_argv(["manage.py", *arguments])
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        except Exception as error:  # noqa: BLE001 - what is looked for
            uncaught = repr(error)
    return {"out": out.getvalue(), "err": err.getvalue(), "code": code, "uncaught": uncaught}


if __name__ == "__main__":
    django.setup()
    print(json.dumps([outcome_of(each) for each in json.loads(sys.argv[1])]))
