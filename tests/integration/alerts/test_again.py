"""What was wrong, was over, and is wrong again: it is told of each time."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from cronjobs.database import read_clock
from cronjobs.executors.inline import perform_inline
from cronjobs.models import Alert, AlertNotice, AlertState, ExecutionLog, Job, JobExecution, Node

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _nothing_else() -> None:
    Job.objects.all().delete()


def test_a_job_that_is_late_once_more_is_told_of_once_more(make_job, look):
    make_job("noop", late_after=MINUTE)
    for _ in range(3):
        execution = JobExecution.objects.request("noop")
        assert look(2 * MINUTE)[-1] == "late noop"
        perform_inline(execution)
        look(3 * MINUTE)

    assert look(4 * MINUTE) == ["late noop", "late noop over"] * 3
    assert AlertState.objects.get().version == 6


def test_a_node_that_is_gone_once_more_is_told_of_once_more(look):
    now = read_clock("default")
    for heartbeats in range(3):
        Node.objects.update_or_create(
            name="web-1", defaults={"pid": 1, "workers": 1, "started_at": now, "heartbeat_at": now, "last_tick_at": now}
        )
        look()
        Node.objects.update(heartbeat_at=now - timedelta(hours=1))
        assert look() == ["node_gone web-1"] * (heartbeats + 1)


def test_what_is_told_of_once_more_keeps_nobody_elses_alert_back(make_job, look):
    for name in ("noop", "sample"):
        make_job("noop", name=name, late_after=MINUTE)
    perform_inline(_late(look, "noop"))
    look()

    JobExecution.objects.request("noop")
    JobExecution.objects.request("sample")

    assert sorted(look(2 * MINUTE)[-2:]) == ["late noop", "late sample"]


def _late(look, name):
    execution = JobExecution.objects.request(name)
    look(2 * MINUTE)
    return execution


def test_a_long_log_leaves_the_rest_of_a_message_as_it_is(make_job, look):
    """Of a log that is too long the last lines are told, and what else there is to know of the failure in any case."""
    make_job("noop", owner="ann")
    execution = JobExecution.objects.request("noop")
    perform_inline(execution)
    lines = [
        ExecutionLog(execution=execution, attempt=1, number=1_000 + number, level=40, message=message)
        for number, message in enumerate(["\x1b" * 16_000] * 20 + ["the end"])
    ]
    for each in lines:
        each.logged_at = timezone.now()
    ExecutionLog.objects.bulk_create(lines)
    said = {"error_type": "ValueError", "error_message": "\x1b" * 16_000}
    JobExecution.objects.filter(pk=execution.pk).update(status="failed", **said)
    notice = {"job_id": execution.job_id, "job_name": "noop", "what": "failed", "at": timezone.now()}
    AlertNotice.objects.create(execution_id=execution.pk, **notice)

    assert look() == ["failing noop"]
    facts = Alert.objects.get().facts
    assert (facts["owner"], facts["error_type"]) == ("ann", "ValueError")
    assert facts["log_lines"][-1]["message"] == "the end"
    assert 1 < len(facts["log_lines"]) < 20
