"""The database goes away for longer than a lease, and comes back; longer outages: bench/outage."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager

import pytest
from django.db import connection

from cronjobs.models import JobExecution
from tests.acceptance.conftest import status_of
from tests.acceptance.programs import own_server, verdict_of
from tests.servers import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

# Holds the file's write lock for so many seconds, and says when it has it.
HOLDER = """\
import sqlite3, sys, time
other = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=20)
other.execute("BEGIN IMMEDIATE")
print("held", flush=True)
time.sleep(float(sys.argv[2]))
other.execute("ROLLBACK")
"""


@pytest.mark.parametrize("how", ["stop", "freeze"])
def test_an_outage_longer_than_a_lease_loses_and_repeats_nothing(how):
    verdict = verdict_of("outage", "--seconds", "12", "--lease", "3", "--how", how, *own_server())

    assert verdict["broken"] == []
    assert (verdict["duplicates"], verdict["lost"], verdict["open"]) == (0, 0, 0)
    assert verdict["longestGapSeconds"] > 10


@contextmanager
def locked_by_another_process(seconds):
    command = [sys.executable, "-c", HOLDER, str(connection.settings_dict["NAME"]), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:  # noqa: S603 - our own program
        assert holder.stdout.readline() == "held\n"
        yield
        assert holder.wait(timeout=seconds + 10) == 0


def error_seconds(log):
    """Count the errors in a node's log by the second in which they came."""
    stamps = re.findall(r"^(\S+ \S+),\d+ (?:ERROR|CRITICAL)", log.read_text(), re.MULTILINE)
    return Counter(stamps)


@pytest.mark.sqlite_only
@pytest.mark.parametrize("seconds", [3, 30])
def test_endings_wait_for_a_locked_file_and_nothing_is_lost(start_node, marks, seconds):
    if connection.vendor != "sqlite":
        pytest.skip("only SQLite locks the whole database")
    nodes = [start_node(), start_node()]
    marks.job(seconds=1.0)
    executions = [JobExecution.objects.request("marks") for _ in range(4)]
    wait_for(lambda: len(marks.lines()) == 4)

    with locked_by_another_process(seconds):
        pass
    wait_for(lambda: {status_of(each) for each in executions} == {"succeeded"})

    assert [each.attempt for each in executions] == [1] * 4
    assert len(marks.lines()) == 4
    assert not JobExecution.objects.filter(status="lost").exists()
    for node in nodes:
        node.check()
        errors = error_seconds(node.log)
        # Shorter than SQLite's own patience: nobody hears of it.
        assert not errors if seconds < 20 else max(errors.values(), default=0) <= 2
