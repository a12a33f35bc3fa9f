"""Virtual environments that know nothing of this clone, and what is run in them."""

from __future__ import annotations

import fcntl
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from project.processes import Child, start
from tests.servers import ROOT

# Whatever leads back to this clone, its settings or its database.
_OURS = ("COVERAGE_", "CRONJOBS_", "DATABASE_URL", "DJANGO_", "PYTEST_", "PYTHONPATH", "TEST_", "VIRTUAL_ENV")
# The releases to install: what this clone is known to work with, unless the matrix asks for another Django.
CONSTRAINTS = Path(os.environ.get("TEST_CONSTRAINTS") or ROOT / "constraints.txt")


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment, and the directory in which its commands run."""

    home: Path
    directory: Path

    def variables(self, **more: str) -> dict[str, str]:
        """Return the environment of a command, as after `activate`."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        path = f"{self.home / 'bin'}{os.pathsep}{os.environ['PATH']}"
        pip = {"PIP_CONSTRAINT": str(CONSTRAINTS), "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_PROGRESS_BAR": "off"}
        return {**kept, **pip, "PATH": path, "PYTHONDONTWRITEBYTECODE": "1", **more}

    def run(self, command: str | Sequence[str], *, within: float = 600, **more: str) -> str:
        """Run a line of shell, or a command, and return what it prints; fail the test if it fails."""
        done = self._run(command, within, more)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    def complaint(self, command: str | Sequence[str], *, within: float = 600, **more: str) -> str:
        """Run a line of shell, or a command, and return the last line of its complaint, or nothing if it succeeds."""
        done = self._run(command, within, more)
        return "" if done.returncode == 0 else (done.stderr.strip() or "it failed").splitlines()[-1]

    def start(self, name: str, command: str, **more: str) -> Child:
        """Start what goes on until it is stopped: words as of a shell, without its magic."""
        # What is started has the working directory of the tests.
        words = [str(self.directory / word) if word == "manage.py" else word for word in shlex.split(command)]
        variables = self.variables(PYTHONPATH=str(self.directory), **more)
        return start(name, words, log=self.directory / f"{name}.log", env=variables)

    def _run(
        self, command: str | Sequence[str], within: float, more: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        words = ["/bin/sh", "-c", command] if isinstance(command, str) else command
        variables = self.variables(**more)
        # The program is looked for where the environment says, and not where ours does.
        program = shutil.which(words[0], path=variables["PATH"]) or words[0]
        return subprocess.run(  # noqa: S603 - the test's own, or the document's
            [program, *words[1:]],
            cwd=self.directory,
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=within,
            check=False,
        )


def make_environment(home: Path, directory: Path) -> Environment:
    """Make a virtual environment of this Python, with nothing but pip in it."""
    subprocess.run([sys.executable, "-m", "venv", str(home)], check=True, timeout=120)  # noqa: S603 - our own
    directory.mkdir(parents=True, exist_ok=True)
    return Environment(home, directory)


def layered_environment(below: Environment, home: Path) -> Environment:
    """Make an environment that has what is installed in another; what is installed into it is not in that one.

    Its directory is a copy of the other's. It has no scripts: it is ``python -m pip``, and not ``pip``.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True, timeout=120)  # noqa: S603 - our own
    (packages,) = home.glob("lib/python*/site-packages")
    (others,) = below.home.glob("lib/python*/site-packages")
    (packages / "below.pth").write_text(f"{others}\n", encoding="utf-8")
    shutil.copytree(below.directory, home / "site", ignore=shutil.ignore_patterns("index", "*.log"))
    return Environment(home, home / "site")


def need_index(environment: Environment) -> None:
    """Skip the test where pip can install nothing; where everything is to be checked, fail it."""
    # A package of a few kilobytes, which is needed anyway.
    why = environment.complaint("pip download --quiet --no-deps --dest index cronsim", PIP_RETRIES="1")
    if not why:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"pip can install nothing: {why}")
    pytest.skip(f"pip can install nothing: {why}")


@contextmanager
def made_once(factory: pytest.TempPathFactory, name: str) -> Iterator[tuple[Path, bool]]:
    """Yield a directory that all workers of this run share, and whether it is there already; one looks at a time."""
    base = factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    directory, done = shared / name, shared / f"{name}.done"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield directory, done.exists()
        done.touch()
