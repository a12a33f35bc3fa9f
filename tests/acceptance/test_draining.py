"""Real nodes that are asked to drain: they finish what they run, start nothing new, and end by themselves."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from datetime import timedelta

import pytest

from cronjobs.manager import cron_manager
from cronjobs.models import Job, JobExecution, Node
from tests.acceptance.conftest import status_of
from tests.commands import run_command_process
from tests.servers import ROOT, command_environment, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def name_of(child):
    """Return the name of the node that runs as that process."""
    return Node.objects.get(pid=child.process.pid).name


@pytest.fixture
def sign(tmp_path):
    """The file that lets the job go on which `held_by` starts."""
    return tmp_path / "sign"


def held_by(node, sign):
    """Return an execution that runs on the only node there is until the sign is given."""
    execution = JobExecution.objects.request("awaits", params={"path": str(sign)})
    wait_for(lambda: status_of(execution) == "running")
    assert execution.node == name_of(node)
    return execution


def test_a_node_drains_while_another_goes_on_and_each_due_time_runs_once(start_node, marks, sign):
    # The grace of a signal is next to nothing, and a drain has no deadline.
    old = start_node("--grace", "0.1")
    running = held_by(old, sign)
    start_node()
    job = marks.job("every-second", schedule="* * * * * *")
    wait_for(lambda: JobExecution.objects.filter(job=job, status="succeeded").exists())

    command = [sys.executable, str(ROOT / "manage.py"), "crondrain", running.node, "--wait"]
    with subprocess.Popen(command, env=command_environment()) as waiting:  # noqa: S603 - our own command
        wait_for(lambda: "claims nothing more" in old.log.read_text())
        asked = JobExecution.objects.latest("pk").pk
        wait_for(lambda: JobExecution.objects.filter(job=job, pk__gt=asked + 1, status="succeeded").exists())
        assert (old.process.poll(), waiting.poll()) == (None, None)
        sign.touch()
        assert old.process.wait(timeout=90) == 0
        assert waiting.wait(timeout=90) == 0

    assert status_of(running) == "succeeded"
    assert Node.objects.get(name=running.node).stopped_at is not None
    Job.objects.filter(pk=job.pk).update(enabled=False)
    wait_for(lambda: not JobExecution.objects.open().exists())
    rows = JobExecution.objects.filter(job=job).order_by("scheduled_for")
    due = list(rows.values_list("scheduled_for", flat=True))
    assert due == [due[0] + timedelta(seconds=n) for n in range(len(due))]
    assert set(rows.values_list("status", flat=True)) == {"succeeded"}
    assert running.node not in set(rows.filter(pk__gt=asked).values_list("node", flat=True))
    assert Counter(line[1] for line in marks.lines()) == {f"{at:%Y-%m-%dT%H:%M:%SZ}": 1 for at in due}


def test_a_drain_that_is_called_off_changes_nothing(start_node, sign):
    node = start_node()
    running = held_by(node, sign)
    cron_manager.drain_node(running.node)
    wait_for(lambda: "claims nothing more" in node.log.read_text())
    waiting = JobExecution.objects.request("noop")

    assert run_command_process("crondrain", running.node, "--undo").code == 0

    wait_for(lambda: status_of(waiting) == "succeeded")
    sign.touch()
    wait_for(lambda: status_of(running) == "succeeded")
    node.check()
    node.process.send_signal(signal.SIGTERM)
    assert node.process.wait(timeout=90) == 0


def test_a_deadline_that_was_set_ends_a_drain_honestly(start_node, sign):
    node = start_node(DRAIN_GRACE=0.5)
    running = held_by(node, sign)

    cron_manager.drain_node(running.node)

    assert node.process.wait(timeout=90) == 1
    assert status_of(running) == "lost"
    assert "CRONJOBS['DRAIN_GRACE'] has passed" in node.log.read_text()


def test_a_node_that_drains_still_follows_a_signal(start_node, sign):
    node = start_node("--grace", "0.5")
    running = held_by(node, sign)
    cron_manager.drain_node(running.node)
    wait_for(lambda: "claims nothing more" in node.log.read_text())

    node.process.send_signal(signal.SIGTERM)

    assert node.process.wait(timeout=90) == 1
    assert status_of(running) == "lost"
