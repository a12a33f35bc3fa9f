"""Sending by real nodes: killed in the middle of it, or ended."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.db.models import F

from cronjobs.database import read_clock
from cronjobs.models import AlertDelivery, Job, JobExecution
from tests.commands import run_command_process
from tests.integration.notifications.rows import delivery, state
from tests.receivers import hangs, receiving
from tests.servers import running_command, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture(autouse=True)
def _nothing_is_due(transactional_db):
    Job.objects.update(schedule="")


def test_what_a_killed_node_was_sending_is_sent_again_by_another_and_marked(tmp_path):
    with receiving(hangs) as receiver:
        settings = json.dumps({"NOTIFIERS": {"ops": {"CLASS": "webhook", "URL": receiver.address, "TIMEOUT": 30}}})
        row = delivery()
        with running_command("runcron", log=tmp_path / "first.log", TEST_CRONJOBS=settings) as node:
            wait_for(lambda: receiver.received)
            node.process.kill()
            node.process.wait()
        row.refresh_from_db()
        assert (row.status, row.attempts, row.is_repeat) == ("pending", 1, False)
        assert read_clock("default") < row.lease_expires_at <= read_clock("default") + timedelta(minutes=1)

        receiver.released.set()
        with running_command("runcron", log=tmp_path / "second.log", TEST_CRONJOBS=settings):
            # A minute later.
            AlertDelivery.objects.update(lease_expires_at=F("lease_expires_at") - timedelta(minutes=1))
            wait_for(lambda: state(row) == ("sent", 2, True))

    first, second = receiver.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert (first.json["data"]["isRepeat"], second.json["data"]["isRepeat"]) == (False, True)


def test_a_node_that_is_told_to_end_ends_although_a_receiver_and_a_monitor_hang(tmp_path):
    with receiving(hangs) as receiver:
        settings = json.dumps({"NOTIFIERS": {"ops": {"CLASS": "webhook", "URL": receiver.address, "TIMEOUT": 30}}})
        Job.objects.filter(name="noop").update(ping_url=f"{receiver.address}/abc")
        row = delivery()
        execution = JobExecution.objects.request("noop")
        with running_command("runcron", log=tmp_path / "node.log", TEST_CRONJOBS=settings) as node:
            wait_for(lambda: len(receiver.received) >= 2)
            wait_for(lambda: not JobExecution.objects.open().exists())
            node.process.terminate()
            assert node.process.wait(timeout=60) == 0
        assert not receiver.released.is_set()

    execution.refresh_from_db()
    assert execution.status == "succeeded"
    assert state(row) == ("pending", 1, False)


def test_a_command_that_ends_has_sent_its_pings(tmp_path):
    with receiving() as monitor:
        Job.objects.filter(name="noop").update(ping_url=f"{monitor.address}/abc")
        assert run_command_process("runjob", "noop").code == 0

    assert [each.path.partition("?")[0] for each in monitor.received] == ["/abc/start", "/abc"]
