"""A definition to which others' entries lead, and a crontab of some lines."""

from __future__ import annotations

import pytest

from cronjobs.models import Job
from tests.commands import run_command
from tests.integration.commands.cronimport.shown import ZONE


@pytest.fixture(autouse=True)
def send_digest(define):
    """A definition that takes a parameter, on a schedule of its own."""

    def send_digest(context, *, days=1):
        """Do nothing."""

    Job.objects.all().delete()
    return define(send_digest, schedule="0 6 * * *", time_zone="UTC")


@pytest.fixture
def crontab(tmp_path):
    """Run the command with a crontab of these lines."""

    def run(*lines, options=ZONE):
        path = tmp_path / "crontab"
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return run_command("cronimport", "crontab", str(path), *options)

    return run
