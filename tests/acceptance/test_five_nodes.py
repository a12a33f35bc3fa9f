"""Five nodes on one database, all ticked at the same instant of a frozen clock."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest

from cronjobs.models import Job, JobExecution
from cronjobs.scheduler.plans import sync
from tests.servers import ROOT, command_environment

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

NODES, REPETITIONS, MINUTES = 5, 20, 3
# Long past, so that the executions of every instant can be claimed at once.
START = datetime(2026, 1, 15, 12, tzinfo=UTC)


@pytest.fixture
def frozen_nodes(transactional_db) -> Iterator[list[subprocess.Popen[str]]]:
    command = [sys.executable, str(ROOT / "tests" / "acceptance" / "frozen_node.py")]
    environment = command_environment()
    with ExitStack() as stack:
        nodes = [
            stack.enter_context(
                subprocess.Popen(  # noqa: S603 - our own program
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
                )
            )
            for _ in range(NODES)
        ]
        answers(nodes, "ready")
        yield nodes
        for node in nodes:
            assert node.stdin is not None
            node.stdin.close()
            assert node.wait(timeout=90) == 0


def answers(nodes, expected):
    assert [node.stdout.readline().strip() for node in nodes] == [expected] * len(nodes)


def tick_all(nodes, instant):
    for node in nodes:
        node.stdin.write(f"{instant.isoformat()}\n")
        node.stdin.flush()
    answers(nodes, "done")


def test_every_due_minute_is_one_row_and_one_line(frozen_nodes, marks):
    Job.objects.update(schedule="")
    job = marks.job("minutely", schedule="* * * * *", overlap="allow")
    sync(START)
    expected = []

    for repetition in range(REPETITIONS):
        for minute in range(1, MINUTES + 1):
            instant = START + timedelta(hours=repetition, minutes=minute)
            expected.append(instant)
            tick_all(frozen_nodes, instant)
        # The next repetition begins later, as if nothing had been due meanwhile.
        Job.objects.filter(pk=job.pk).update(enabled=False)
        sync(instant)
        Job.objects.filter(pk=job.pk).update(enabled=True)
        sync(START + timedelta(hours=repetition + 1))

    rows = JobExecution.objects.filter(job=job)
    assert sorted(rows.values_list("scheduled_for", flat=True)) == expected
    assert set(rows.values_list("status", flat=True)) == {"succeeded"}
    assert Counter(due for _, due, _, _ in marks.lines()) == {f"{at:%Y-%m-%dT%H:%M:%SZ}": 1 for at in expected}
    assert all(node.poll() is None for node in frozen_nodes)
