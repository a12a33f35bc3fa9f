"""The tutorial as steps: the files it shows, the commands it has typed, and what it says that they print.

A block with the name of a file is that file, or is added to its end. A ``console`` block holds commands
after ``$``, each followed by what it prints: every line that is shown is among those that are printed, ``…``
stands for more, digits for any others, and a blank for several. A title names another terminal, in which the last command goes on,
or says that what is shown comes after a moment.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from project.processes import Child, start
from tests.examples import differences
from tests.servers import wait_for

_BLOCK: Final = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.DOTALL | re.MULTILINE)
_AT_THE_END: Final = " (at the end)"
_LATER: Final = "after a moment"
_MORE: Final = "…"
_BLANKS: Final = re.compile(r" +")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What is typed, and the lines that it is said to print."""

    line: int
    text: str
    shown: tuple[str, ...]

    @property
    def may_fail(self) -> bool:
        """Whether the tutorial says that it fails."""
        return any(each.startswith("CommandError") for each in self.shown)

    def missing_in(self, output: str) -> list[str]:
        """Return what is shown, and not among the lines of `output`."""
        shown = "\n".join(each for each in self.shown if each != _MORE)
        # How wide a column is, depends on what else is in the table.
        return differences(_BLANKS.sub(" ", shown), _BLANKS.sub(" ", f"\n{output}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A block of the tutorial: a file with its text, or commands."""

    line: int
    title: str
    text: str = ""
    commands: tuple[Command, ...] = ()

    @property
    def path(self) -> str:
        """The name of the file; empty: these are commands."""
        return "" if self.commands else self.title.removesuffix(_AT_THE_END)

    @property
    def is_added(self) -> bool:
        """Whether the text goes to the end of the file."""
        return self.title.endswith(_AT_THE_END)

    @property
    def comes_later(self) -> bool:
        """Whether what is shown comes after a moment."""
        return self.title == _LATER

    @property
    def terminal(self) -> str:
        """The name of another terminal; empty: the first one."""
        return self.title if self.commands and not self.comes_later else ""


def read_tutorial(text: str) -> list[Step]:
    """Return the steps, in the order in which they are to be done."""
    return [_step(found, text.count("\n", 0, found.start()) + 1) for found in _BLOCK.finditer(text)]


def _step(found: re.Match[str], line: int) -> Step:
    language, title, text = found[1], found[2] or "", found[3]
    if language == "console":
        return Step(line=line, title=title, commands=tuple(_commands(text, line)))
    return Step(line=line, title=title, text=text)


def _commands(text: str, line: int) -> Iterator[Command]:
    before, *parts = re.split(r"^\$ ", text, flags=re.MULTILINE)
    assert not before, f"line {line}: a block of commands begins with one"
    for part in parts:
        typed, *shown = part.splitlines()
        yield Command(line=line, text=typed, shown=tuple(shown))


class Terminal:
    """A shell, as somebody has it open: each command is run where the one before has left it."""

    def __init__(self, directory: Path, state: Path, environment: dict[str, str]) -> None:
        self._directory, self._state, self._environment = directory, state, environment
        state.mkdir()

    @property
    def directory(self) -> Path:
        """Where the next command is run."""
        return self._directory

    def run(self, command: str) -> tuple[str, int]:
        """Return what a command has printed, and its exit code; remember where it has left the shell."""
        script = (
            f'{command}\ncode=$?\npwd >"{self._state}/directory"\nenv -0 >"{self._state}/environment"\nexit $code\n'
        )
        done = subprocess.run(  # noqa: S603 - the tutorial's
            ["/bin/bash", "-c", script],
            cwd=self._directory,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=250,
            check=False,
        )
        self._directory = Path((self._state / "directory").read_text().rstrip("\n"))
        pairs = (self._state / "environment").read_text().split("\0")
        self._environment = dict(each.split("=", 1) for each in pairs if "=" in each)
        return done.stdout, done.returncode

    def leave_running(self, command: str, *, log: Path) -> Child:
        """Start a command that goes on."""
        script = f'cd "{self._directory}" && exec {command}'
        return start(command, ["/bin/bash", "-c", script], log=log, env=self._environment)

    def follow(self, command: Command, *, later: bool) -> None:
        """Run a command of the tutorial, again and again if what it shows comes later, and see that it prints that."""
        if later:
            wait_for(lambda: not command.missing_in(self.run(command.text)[0]))
            return
        output, code = self.run(command.text)
        assert (code != 0) == command.may_fail, f"line {command.line}: {command.text}\n{output}"
        assert command.missing_in(output) == [], f"line {command.line}: {command.text}\n{output}"


def write_file(step: Step, directory: Path) -> None:
    """Write the file of a step, or add to it."""
    path = directory / step.path
    assert path.parent.is_dir(), f"line {step.line}: there is no folder for {step.path}"
    with path.open("a" if step.is_added else "w", encoding="utf-8") as file:
        file.write(f"\n{step.text}" if step.is_added else step.text)


def fresh_environment(home: Path, **variables: str) -> dict[str, str]:
    """Return the environment of somebody who has done nothing yet; `python3` is the Python of the tests."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {"PATH": path, "HOME": str(home), "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1", **variables}
