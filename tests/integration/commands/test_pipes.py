"""Commands whose reader has read enough, as in `cronstatus | head`."""

from __future__ import annotations

import subprocess
import sys

import pytest
from django.core.management import get_commands, load_command_class

from cronjobs.management.shell import ShellCommand
from tests.servers import ROOT, command_environment


@pytest.mark.slow
@pytest.mark.sqlite_only
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "arguments", [["cronstatus", "--json"], ["cronpreview", "--expression", "* * * * *"]], ids=" ".join
)
def test_a_command_whose_reader_has_gone_ends_without_a_traceback(arguments):
    command = [sys.executable, str(ROOT / "manage.py"), *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=command_environment(), **pipes) as process:  # noqa: S603 - our own command
        process.stdout.close()
        err = process.stderr.read()

    assert (err, process.returncode) == ("", 141)


def test_every_command_of_the_app_is_one_of_these():
    names = [name for name, app in get_commands().items() if app == "cronjobs"]

    assert len(names) > 15
    assert [name for name in names if not isinstance(load_command_class("cronjobs", name), ShellCommand)] == []
