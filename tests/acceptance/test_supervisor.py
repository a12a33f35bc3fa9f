"""What a node tells systemd: it is ready, it lives, it is stuck, it ends; over a real socket."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
from contextlib import contextmanager
from datetime import timedelta

import psutil
import pytest
from django.db import connection

from cronjobs.database import database_now_plus
from cronjobs.models import Job, JobExecution
from project.processes import stop
from tests.locks import table_locked
from tests.private_servers import private_server
from tests.servers import start_command, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

ALIVE, READY, STOPPING = "WATCHDOG=1", "READY=1", "STOPPING=1"
PERIOD = timedelta(seconds=1)


class Listener:
    """The end of the socket at which systemd would be."""

    def __init__(self, address):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)

    def next(self, *, within=90.0):
        """Return the lines of the next message; None if none comes."""
        self._socket.settimeout(within)
        try:
            return self._socket.recv(4_096).decode().splitlines()
        except TimeoutError:
            return None

    def until(self, wanted):
        """Return all lines up to the one that is wanted, that one included."""
        lines = []
        while wanted not in lines:
            message = self.next()
            assert message is not None, f"{wanted} never came; these did: {lines}"
            lines += message
        return lines

    def drain(self):
        """Forget what has been sent by now."""
        while select.select([self._socket], [], [], 0)[0]:
            self._socket.recv(4_096)

    def close(self):
        self._socket.close()


@contextmanager
def supervised(tmp_path, *, address="", **environment):
    """Run a node that believes systemd has started it; yield the process, and what it says."""
    Job.objects.update(schedule="")
    address = address or str(tmp_path / "notify")
    listener = Listener(address)
    child = start_command(
        "runcron",
        log=tmp_path / "node.log",
        NOTIFY_SOCKET=address,
        TEST_CRONJOBS=json.dumps({"LEASE": 3, "SHUTDOWN_GRACE": 1, "STUCK_AFTER": 2}),
        **environment,
    )
    try:
        yield child, listener
    finally:
        stop([child])
        listener.close()


def microseconds(span):
    return str(span // timedelta(microseconds=1))


def test_a_node_is_ready_after_its_first_tick_and_says_when_it_ends(tmp_path):
    # Nothing but a tick sees to what follows an execution.
    ended = JobExecution.objects.request("noop")
    JobExecution.objects.update(status="succeeded", followup_due=database_now_plus(timedelta(hours=-1)))
    with supervised(tmp_path) as (child, listener):
        said = listener.until(READY)
        ended.refresh_from_db()
        assert ended.followup_due is None

        child.process.send_signal(signal.SIGTERM)
        said += listener.until(STOPPING)
        assert child.process.wait(timeout=90) == 0
        assert "STATUS=0 of 8 workers busy." in said


def test_the_watchdog_is_fed_while_the_process_goes_and_not_while_it_stands_still(tmp_path):
    with supervised(tmp_path, WATCHDOG_USEC=microseconds(PERIOD)) as (child, listener):
        listener.until(READY)
        for _ in range(4):
            listener.until(ALIVE)

        child.process.send_signal(signal.SIGSTOP)
        wait_for(lambda: psutil.Process(child.process.pid).status() == psutil.STATUS_STOPPED)
        listener.drain()
        assert listener.next(within=3 * PERIOD.total_seconds()) is None

        child.process.send_signal(signal.SIGCONT)
        listener.until(ALIVE)
        child.check()


def test_the_watchdog_is_not_fed_while_a_thread_is_stuck(tmp_path):
    with supervised(tmp_path, WATCHDOG_USEC=microseconds(PERIOD)) as (child, listener):
        listener.until(READY)

        with table_locked():
            while not any(line.startswith("STATUS=Stuck: ") for line in listener.next()):
                pass
            found = [listener.next(within=1.0) for _ in range(3)]
            assert not any(ALIVE in message for message in found if message)

        listener.until(ALIVE)
        child.check()


def test_a_database_that_is_away_does_not_stop_the_feeding(tmp_path):
    if connection.vendor not in ("postgresql", "mysql"):
        pytest.skip("SQLite has no server that could go away")
    with private_server("postgres" if connection.vendor == "postgresql" else "mariadb") as server:
        migrate = start_command("migrate", "-v0", log=tmp_path / "migrate.log", DATABASE_URL=server.url)
        assert migrate.process.wait(timeout=90) == 0, migrate.output()
        with supervised(tmp_path, DATABASE_URL=server.url, WATCHDOG_USEC=microseconds(PERIOD)) as (child, listener):
            listener.until(READY)
            server.stop()
            listener.drain()

            # Several times as long as it takes until a thread is stuck.
            said = [line for _ in range(20) for line in listener.until(ALIVE)]

            assert not any(line.startswith("STATUS=Stuck") for line in said)
            child.check()
            server.start()
            listener.until(ALIVE)


def test_a_watchdog_that_is_for_another_process_is_not_fed(tmp_path):
    with supervised(tmp_path, WATCHDOG_USEC=microseconds(PERIOD), WATCHDOG_PID=str(os.getpid())) as (child, listener):
        said = listener.until(READY)
        child.process.send_signal(signal.SIGTERM)
        said += listener.until(STOPPING)

        assert ALIVE not in said


def test_a_name_in_the_abstract_namespace_is_understood(tmp_path):
    with supervised(tmp_path, address=f"@cronjobs-test-{os.getpid()}") as (_child, listener):
        listener.until(READY)


def test_processes_of_jobs_do_not_inherit_the_socket(tmp_path):
    names = ["PYTHONPATH", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]
    execution = JobExecution.objects.request("has-variables", params={"names": names})
    with supervised(tmp_path, WATCHDOG_USEC=microseconds(PERIOD)):
        wait_for(lambda: JobExecution.objects.get(pk=execution.pk).is_final)

    execution.refresh_from_db()
    assert execution.result == ["PYTHONPATH"]


def test_a_node_without_a_supervisor_works_all_the_same(tmp_path):
    child = start_command("runcron", log=tmp_path / "node.log", NOTIFY_SOCKET=str(tmp_path / "nobody"))
    try:
        execution = JobExecution.objects.request("noop")
        wait_for(lambda: JobExecution.objects.get(pk=execution.pk).is_final)
        child.check()
    finally:
        stop([child])
