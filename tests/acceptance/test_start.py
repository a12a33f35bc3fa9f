"""A node that is started too early, or in the wrong place, says so."""

from __future__ import annotations

import signal

import pytest

from cronjobs.models import JobExecution
from tests.acceptance.conftest import status_of
from tests.servers import start_command, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.mark.sqlite_only
def test_without_tables_it_says_what_to_do(tmp_path):
    url = f"sqlite:///{tmp_path / 'empty.sqlite3'}"
    node = start_command("runcron", log=tmp_path / "log", DATABASE_URL=url)

    assert node.process.wait(timeout=90) == 1
    assert "manage.py migrate" in node.output()
    assert "Traceback" not in node.output()


@pytest.mark.sqlite_only
def test_without_a_database_it_waits_and_can_be_stopped(tmp_path):
    url = "postgres://nobody:hunter2@127.0.0.1:1/nothing"
    node = start_command("runcron", log=tmp_path / "log", DATABASE_URL=url)
    wait_for(lambda: node.output().count("Trying again") >= 2)

    node.process.send_signal(signal.SIGTERM)

    assert node.process.wait(timeout=90) == 0
    assert "127.0.0.1:1" in node.output()
    assert "hunter2" not in node.output()
    assert "Traceback" not in node.output()


def test_what_was_made_at_the_start_is_not_searched_for_garbage_again(start_node):
    start_node()

    def frozen():
        execution = JobExecution.objects.request("tells-what-is-frozen")
        wait_for(lambda: status_of(execution) == "succeeded")
        return execution.result

    # Not yet, perhaps, when the first of them runs. Django alone is more.
    wait_for(lambda: frozen() > 50_000)
