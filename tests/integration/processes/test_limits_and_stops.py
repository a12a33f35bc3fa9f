"""Attempts in processes are ended where they must be, by their limits or by somebody, with all that they started."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from cronjobs.executors.process import ForkServer
from tests.integration.processes.attempts import Running, helpers_of, limit, lines_of
from tests.servers import is_gone, wait_for

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_coroutine_that_takes_too_long_tidies_up(perform):
    limit("isolated-coroutine", timeout=timedelta(seconds=0.7), max_attempts=1)

    execution = perform("isolated-coroutine", seconds=60)

    assert (execution.status, lines_of(execution)) == ("timed_out", ["Tidied"])
    assert "await asyncio.sleep(seconds)" in execution.traceback


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


def test_a_process_that_is_ended_keeps_its_last_progress(perform, settings):
    settings.CRONJOBS = {**settings.CRONJOBS, "KILL_GRACE": 0.5}
    limit("isolated-talkative", timeout=timedelta(seconds=1))

    execution = perform("isolated-talkative", seconds=60)

    assert (execution.status, execution.progress["message"]) == ("timed_out", "half of it")
