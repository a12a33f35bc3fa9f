"""The tutorial, as it is written: every file and every command, in a fresh folder, until the letters are there."""

from __future__ import annotations

import signal
import sysconfig
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from project.processes import Child, stop
from tests.documentation import DOCS
from tests.private_servers import free_port
from tests.servers import ROOT, wait_for
from tests.tutorial import Terminal, fresh_environment, read_tutorial, write_file

# It has a database of its own.
pytestmark = [pytest.mark.slow, pytest.mark.sqlite_only]

_ADDRESS = "127.0.0.1:8000"
_METADATA = "Metadata-Version: 2.1\nName: cronjobs\nVersion: 0.1\n"
_WHEEL = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


@pytest.fixture
def address() -> str:
    """Where the tutorial's own server answers: 8000 may be somebody else's."""
    return f"127.0.0.1:{free_port()}"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The environment of a beginner whose pip finds `cronjobs`, and what it needs is installed already."""
    packages, home = tmp_path / "packages", tmp_path / "home"
    for each in (packages, home):
        each.mkdir()
    _pretend_wheel(packages)
    return fresh_environment(
        home,
        PIP_NO_INDEX="1",
        PIP_FIND_LINKS=str(packages),
        PIP_DISABLE_PIP_VERSION_CHECK="1",
        PYTHONPATH=sysconfig.get_path("purelib"),
    )


@pytest.fixture
def running(tmp_path: Path) -> Iterator[dict[str, Child]]:
    """What goes on in other terminals, by their names."""
    children: dict[str, Child] = {}
    yield children
    stop(children.values())


def test_who_does_what_the_tutorial_says_gets_what_it_shows(
    tmp_path: Path, environment: dict[str, str], running: dict[str, Child], address: str
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    first = Terminal(folder, tmp_path / "first", environment)

    for step in read_tutorial((DOCS / "tutorial.md").read_text(encoding="utf-8").replace(_ADDRESS, address)):
        if step.path:
            write_file(step, first.directory)
        elif step.terminal:
            other = Terminal(folder, tmp_path / step.terminal, environment)
            *before, last = step.commands
            for command in before:
                other.follow(command, later=False)
            child = other.leave_running(last.text, log=tmp_path / f"{step.terminal}.log")
            running[step.terminal] = child
            _wait_for_output(child, last)
        else:
            for command in step.commands:
                first.follow(command, later=step.comes_later)

    # A test, the failure, and its end: each once.
    assert len(list((first.directory / "mails").iterdir())) == 3
    with urlopen(f"http://{address}/admin/cronjobs/dashboard/") as answer:
        assert "/admin/login/" in answer.url
    node = running["second terminal"].process
    node.send_signal(signal.SIGINT)
    assert node.wait(timeout=60) == 0, running["second terminal"].output()


def _wait_for_output(child, command):
    def look():
        child.check()
        return not command.missing_in(child.output())

    wait_for(look)


def _pretend_wheel(directory: Path) -> None:
    """Write a wheel that leads to the package as it lies here: what a real one holds is tested elsewhere."""
    (directory / "importable").mkdir()
    (directory / "importable" / "cronjobs").symlink_to(ROOT / "cronjobs")
    with zipfile.ZipFile(directory / "cronjobs-0.1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("cronjobs.pth", f"{directory / 'importable'}\n")
        wheel.writestr("cronjobs-0.1.dist-info/METADATA", _METADATA)
        wheel.writestr("cronjobs-0.1.dist-info/WHEEL", _WHEEL)
        record = "cronjobs.pth,,\ncronjobs-0.1.dist-info/METADATA,,\ncronjobs-0.1.dist-info/WHEEL,,\ncronjobs-0.1.dist-info/RECORD,,\n"
        wheel.writestr("cronjobs-0.1.dist-info/RECORD", record)
