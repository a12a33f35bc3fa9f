"""Management commands as a shell sees them: what they print, and the code they exit with."""

from __future__ import annotations

import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import NamedTuple

from django.core.management import CommandError, load_command_class

from tests.servers import ROOT, command_environment


class Outcome(NamedTuple):
    """What a command printed, and the code it exited with."""

    out: str
    err: str
    code: int


def run_command(name: str, *arguments: str) -> Outcome:
    """Run `manage.py NAME ARGUMENTS` in this process, on the test's own connection and transaction."""
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = _run(name, arguments, err)
    return Outcome(out.getvalue(), err.getvalue(), code)


def _run(name: str, arguments: tuple[str, ...], err: StringIO) -> int:
    command = load_command_class("cronjobs", name)
    # So that a wrong argument ends with usage and code 2, as it does for a shell.
    setattr(command, "_called_from_command_line", True)  # noqa: B010 - the stubs do not know it
    try:
        options = vars(command.create_parser("manage.py", name).parse_args(arguments))
        command.execute(*options.pop("args", ()), **{**options, "skip_checks": True})
    except CommandError as error:
        err.write(f"CommandError: {error}\n")
        return error.returncode
    except SystemExit as exit_:
        return int(exit_.code or 0)
    return 0


def run_command_process(name: str, *arguments: str, **environment: str) -> Outcome:
    """Run `manage.py NAME ARGUMENTS` as a process of its own on the test settings."""
    command = [sys.executable, str(ROOT / "manage.py"), name, *arguments]
    finished = subprocess.run(  # noqa: S603 - our own command
        command, env=command_environment(**environment), capture_output=True, text=True, timeout=60, check=False
    )
    return Outcome(finished.stdout, finished.stderr, finished.returncode)


def address_of_nobody(password: str) -> str:
    """Return the URL of a PostgreSQL server that is not there."""
    return f"postgres://ann:{password}@127.0.0.1:1/shop"
