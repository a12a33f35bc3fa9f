"""Attempts in processes of their own: the same as in a thread where they should be, and ended where they must be."""

from __future__ import annotations

import os
import signal
import threading
import time
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from cronjobs import events
from cronjobs.database import read_clock
from cronjobs.exceptions import ProcessUnavailable
from cronjobs.executors.inline import run_inline
from cronjobs.executors.process import ForkServer, Stop, attempt_in_process
from cronjobs.models import Job, JobExecution
from cronjobs.models.moves import claim_one, record
from cronjobs.runner import Claim, announce
from tests.servers import is_gone, wait_for

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def server(django_db_setup):
    """One fork server for all, as a node has one for all of its jobs."""
    with ForkServer() as server:
        server.start()
        yield server


@pytest.fixture
def running(server):
    """Begin an attempt, on a thread as a node does, and hand it out while it runs."""
    started = []

    def run(name, **params):
        started.append(Running(server, name, params))
        return started[-1]

    yield run
    for each in started:
        each.finish()


@pytest.fixture
def perform(running):
    """Perform an attempt, record it, and return its execution."""
    return lambda name, **params: running(name, **params).outcome()


class Running:
    """An attempt under way."""

    def __init__(self, server, name, params):
        execution = JobExecution.objects.request(name, params=params)
        claimed = claim_one(execution, node="a", now=read_clock("default"))
        self.claim, self.stop, self.ending = Claim.of(claimed, Job.objects.get(name=name)), Stop(), None
        self._server = server
        self._resolved = self.claim.job.resolve()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def outcome(self):
        self._thread.join(60)
        assert not self._thread.is_alive()
        assert record(self.claim.log.take(), [self.ending]) == set()
        announce(self.ending)
        return JobExecution.objects.get(pk=self.claim.execution.pk)

    def finish(self):
        self.stop.is_wanted.set()
        self.stop.is_urgent.set()
        self._thread.join(60)

    def _run(self):
        clock = self.claim.execution.started_at
        self.ending = attempt_in_process(
            self.claim, self._resolved, now=lambda: clock, server=self._server, stop=self.stop
        )


def lines_of(execution):
    return list(execution.log_lines.values_list("message", flat=True))


def limit(name="limited", **columns):
    Job.objects.filter(name=name).update(**columns)


def helpers_of(path):
    """Return the process ids that a job has noted: its own, and those of its helpers."""
    return wait_for(lambda: path.exists() and [int(each) for each in path.read_text().split()])


def test_a_job_finds_in_its_process_what_it_would_find_in_a_thread(perform):
    execution = perform("isolated", value={"a": [1]})

    result = execution.result
    assert execution.status == "succeeded"
    assert result["pid"] != os.getpid()
    assert result["session"] == result["pid"]
    assert result["value"] == {"a": [1]}
    assert result["jobs"] == Job.objects.count()
    due = execution.scheduled_for.isoformat()
    assert result["context"] == [execution.pk, "isolated", "manual", due, 1, 3, {"value": {"a": [1]}}]
    rows = execution.log_lines.values_list("number", "message", "data")
    assert list(rows) == [
        (1, "Beginning", {"password": "***"}),
        (2, "From elsewhere", {"logger": "somebody.else"}),
    ]


def test_what_an_attempt_used_is_recorded(perform):
    execution = perform("limited", grow=50, wait=0.3)

    assert execution.status == "succeeded"
    assert execution.peak_rss_bytes > 50 * 2**20
    assert 0 < execution.cpu_ms < 10_000


def test_a_coroutine_runs_in_a_process(perform):
    execution = perform("isolated-coroutine")

    assert (execution.status, execution.result) == ("succeeded", Job.objects.count())


def test_a_coroutine_that_takes_too_long_tidies_up(perform):
    limit("isolated-coroutine", timeout=timedelta(seconds=0.7), max_attempts=1)

    execution = perform("isolated-coroutine", seconds=60)

    assert (execution.status, lines_of(execution)) == ("timed_out", ["Tidied"])
    assert "await asyncio.sleep(seconds)" in execution.traceback


def test_observers_hear_of_an_attempt_once_and_here(perform):
    heard = []

    def hear(execution, **_):
        heard.append((os.getpid(), execution.pk))

    events.execution_started.connect(hear)
    try:
        execution = perform("isolated")
    finally:
        events.execution_started.disconnect(hear)

    assert heard == [(os.getpid(), execution.pk)]


def test_thousands_of_lines_arrive_complete_and_in_order(perform):
    execution = perform("isolated-chatter", lines=3_000)

    numbers = execution.log_lines.order_by("number").values_list("data", flat=True)
    assert [each["number"] for each in numbers] == list(range(3_000))


def test_log_and_result_are_bounded_as_in_a_thread(perform):
    execution = perform("isolated-chatter", lines=200, size=15_000)

    *_, full, last = lines_of(execution)
    assert full == "The log is full (1000000 bytes); later lines are not kept."
    assert last.startswith("The log was full: ")
    assert execution.log_lines.count() < 100
    assert perform("isolated-chatter", lines=0, size=100_000).result["truncated"] is True


@pytest.mark.parametrize(
    ("how", "error_type", "message"),
    [
        ("segfault", "cronjobs.exceptions.ProcessDied", "was killed by SIGSEGV"),
        ("killed", "cronjobs.exceptions.ProcessDied", "was killed by SIGKILL"),
        ("exit-3", "cronjobs.exceptions.ProcessDied", "exited with code 3"),
        ("exit-0", "cronjobs.exceptions.ProcessDied", "exited with code 0"),
        ("guardian-killed", "cronjobs.exceptions.ProcessDied", "vanished"),
        ("terminated", "cronjobs.exceptions.Terminated", "SIGTERM"),
        ("system-exit", "SystemExit", "4"),
        ("interrupt", "KeyboardInterrupt", ""),
        ("recursion", "RecursionError", "maximum recursion depth"),
        ("unspeakable", "tests.app.process_jobs.Unspeakable", "whose text cannot be made"),
    ],
)
def test_every_way_to_end_badly_is_a_failure_that_says_which(perform, how, error_type, message):
    execution = perform("isolated-hostile", how=how)

    assert (execution.status, execution.error_type) == ("failed", error_type)
    assert message in execution.error_message
    assert lines_of(execution) == ["The last words"]
    assert perform("isolated").status == "succeeded"


@pytest.mark.parametrize("how", ["system-exit", "interrupt", "recursion", "unspeakable"])
def test_a_thread_records_the_same_of_what_it_survives(how):
    execution = run_inline("hostile", params={"how": how})

    assert execution.status == "failed"
    assert execution.traceback
    assert run_inline("succeeds").status == "succeeded"


def test_a_result_that_cannot_be_pickled_is_described(perform):
    execution = perform("isolated-hostile", how="unpicklable")

    assert execution.status == "succeeded"
    assert "lock" in execution.result["lock"]


def test_nonsense_on_the_sockets_harms_nobody(perform):
    execution = perform("isolated-hostile", how="garbage")

    assert (execution.status, execution.result) == ("succeeded", "done")


def test_forged_messages_are_storable_or_left_out_and_told_of_once(perform, caplog):
    execution = perform("isolated-hostile", how="forgeries")

    assert (execution.status, execution.result) == ("succeeded", "done")
    assert lines_of(execution) == [
        "The last words",
        "None",
        "\N{REPLACEMENT CHARACTER} \N{REPLACEMENT CHARACTER}",
        "forged",
    ]
    assert len([each for each in caplog.records if "cannot be understood" in each.getMessage()]) == 1


def test_a_job_that_floods_the_socket_ends_and_holds_up_nobody(perform):
    execution = perform("isolated-hostile", how="endless")

    assert (execution.status, execution.error_type) == ("failed", "cronjobs.exceptions.ProcessDied")


def test_a_timeout_ends_everything_and_says_where_the_job_was(perform, tmp_path):
    path = tmp_path / "helpers"
    limit(timeout=timedelta(seconds=2))

    execution = perform("limited", path=str(path))

    assert (execution.status, execution.error_type) == ("timed_out", "cronjobs.exceptions.TimedOut")
    assert execution.error_message == "The attempt took longer than 2 s, its timeout, and was ended."
    assert "time.sleep" in execution.traceback
    assert execution.peak_rss_bytes > 0
    assert execution.duration_ms >= 2_000
    assert Path(f"{path}.tidied").exists()
    assert len(helpers_of(path)) == 4
    assert all(map(is_gone, helpers_of(path)))
    assert list(execution.attempts.values_list("status", flat=True)) == ["timed_out"]


def test_what_ignores_sigterm_is_killed_after_the_grace(perform, settings):
    settings.CRONJOBS = {"KILL_GRACE": 0.3}
    limit(timeout=timedelta(seconds=0.5))

    execution = perform("limited", stubborn=True)

    assert execution.status == "timed_out"
    assert execution.cpu_ms > 0


def test_a_timeout_with_attempts_left_is_tried_again(perform):
    execution = perform("slow-twice")

    assert (execution.status, execution.error_type) == ("queued", "cronjobs.exceptions.TimedOut")
    assert execution.attempts.get().status == "timed_out"


def test_memory_is_limited_over_all_processes(perform):
    limit(memory_limit=150 * 2**20)

    execution = perform("limited", grow=200)

    assert (execution.status, execution.error_type) == ("failed", "cronjobs.exceptions.MemoryLimitExceeded")
    assert execution.error_message.endswith("its limit is 150 MiB.")
    assert execution.peak_rss_bytes > 150 * 2**20


def test_cpu_time_is_limited(perform):
    limit(cpu_limit=timedelta(seconds=0.5))

    execution = perform("limited", spin=True)

    assert (execution.status, execution.error_type) == ("failed", "cronjobs.exceptions.CpuLimitExceeded")
    assert execution.cpu_ms >= 500


def test_a_job_that_ends_takes_with_it_what_it_started(perform, tmp_path):
    path = tmp_path / "helpers"

    execution = perform("limited", path=str(path), wait=0)

    assert execution.status == "succeeded"
    assert all(map(is_gone, helpers_of(path)))
    assert lines_of(execution)[-1] == "Processes that the job left behind were killed: 3."


def test_processes_that_replace_each_other_do_not_survive_either(tmp_path, capfd):
    path = tmp_path / "heads"
    with ForkServer() as server:
        execution = Running(server, "isolated-hydra", {"path": str(path)}).outcome()
        seen = path.stat().st_size
        time.sleep(0.2)

    assert path.stat().st_size == seen
    assert execution.status == "succeeded"
    assert lines_of(execution)[-1].startswith("Processes that the job left behind were killed: ")
    # Every death interrupts the one who kills, which is nobody else's business.
    assert capfd.readouterr().err == ""


def test_what_a_killed_guardian_watched_does_not_survive_it(running, tmp_path):
    path = tmp_path / "helpers"
    attempt = running("limited", path=str(path))
    pids = helpers_of(path)

    psutil.Process(pids[0]).parent().kill()

    assert attempt.outcome().error_type == "cronjobs.exceptions.ProcessDied"
    wait_for(lambda: all(map(is_gone, pids)))


def test_a_job_that_is_asked_to_stop_learns_it_and_ends_as_cancelled(running):
    attempt = running("isolated-patient")
    attempt.claim.execution.cancel_reason = "Ann said so."
    attempt.claim.stop_requested.set()

    execution = attempt.outcome()

    assert (execution.status, execution.reason) == ("cancelled", "Ann said so.")
    assert execution.result == {"tidied": True}


def test_a_job_that_does_not_listen_is_ended_after_the_grace(running, settings, tmp_path):
    settings.CRONJOBS = {"KILL_GRACE": 0.3}
    path = tmp_path / "helpers"
    attempt = running("limited", path=str(path), stubborn=True)
    pids = helpers_of(path)
    attempt.claim.stop_requested.set()

    assert attempt.outcome().status == "cancelled"
    assert all(map(is_gone, pids))


@pytest.mark.parametrize("name", ["isolated-coroutine", "limited"])
def test_a_node_that_stops_takes_its_children_along_without_an_ending(running, name):
    attempt = running(name, **({"seconds": 60} if name == "isolated-coroutine" else {}))
    wait_for(lambda: psutil.Process().children(recursive=True))

    attempt.finish()

    assert attempt.ending is None


def test_fifty_children_leave_nothing_behind(perform):
    perform("isolated")
    process = psutil.Process()
    before = process.num_fds(), process.num_threads(), len(process.children(recursive=True))

    for _ in range(50):
        assert perform("isolated").status == "succeeded"

    # Those of the guardian that has just reported are the server's to reap.
    wait_for(lambda: len(process.children(recursive=True)) <= before[2])
    assert (process.num_fds(), process.num_threads()) == before[:2]


def test_a_fork_server_that_was_killed_is_replaced(perform, server):
    perform("isolated")

    server._process.send_signal(signal.SIGKILL)
    server._process.wait()

    assert perform("isolated").status == "succeeded"


def test_a_project_that_cannot_be_set_up_is_the_reason(monkeypatch):
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.nowhere")
    with ForkServer() as server:
        execution = Running(server, "isolated", {}).outcome()

    assert (execution.status, execution.error_type) == ("queued", "cronjobs.exceptions.ProcessUnavailable")
    assert "No module named 'tests.nowhere'" in execution.error_message


def test_without_a_settings_module_there_is_no_process(monkeypatch):
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE")
    with ForkServer() as server:
        server.start()
        with pytest.raises(ProcessUnavailable, match="DJANGO_SETTINGS_MODULE is not set"):
            server.spawn()


def test_inline_honours_limits_in_a_process(settings):
    limit(timeout=timedelta(seconds=0.5))

    execution = run_inline("limited")

    assert execution.status == "timed_out"
    assert run_inline("isolated").result["pid"] != os.getpid()


@pytest.mark.django_db
def test_inline_stays_here_within_a_transaction_that_nobody_else_sees():
    assert run_inline("isolated").result["pid"] == os.getpid()


def test_prints_and_progress_come_from_the_process(perform):
    execution = perform("isolated-talkative")

    assert lines_of(execution) == ["Printed", "Wrong: password=***"]
    assert (execution.progress["done"], execution.progress["total"]) == (2, 2)
    assert execution.progress["message"] == "all of it"


def test_progress_can_be_seen_while_the_process_runs(running):
    attempt = running("isolated-talkative", seconds=60)

    progress = wait_for(attempt.claim.progress.newest)

    assert (progress["done"], progress["total"], progress["message"]) == (1, 2, "half of it")


def test_a_process_that_is_ended_keeps_its_last_progress(perform, settings):
    settings.CRONJOBS = {**settings.CRONJOBS, "KILL_GRACE": 0.5}
    limit("isolated-talkative", timeout=timedelta(seconds=1))

    execution = perform("isolated-talkative", seconds=60)

    assert (execution.status, execution.progress["message"]) == ("timed_out", "half of it")


def test_a_guardian_that_was_stopped_is_killed_with_all_it_guards(perform, settings, tmp_path, monkeypatch):
    settings.CRONJOBS = {**settings.CRONJOBS, "KILL_GRACE": 0.2}
    # As long as it is in truth, nobody wants to wait.
    monkeypatch.setattr("cronjobs.executors.process.attempts._GUARDIAN_PATIENCE", 0.5)

    execution = perform("stops-its-guardian", path=str(tmp_path / "pids"))

    assert (execution.status, execution.error_type) == ("failed", "cronjobs.exceptions.ProcessDied")
    for pid in helpers_of(tmp_path / "pids"):
        wait_for(lambda pid=pid: is_gone(pid))
