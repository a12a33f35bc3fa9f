"""Processes that crash, forge or cannot begin: the attempt says which, and nobody else is harmed."""

from __future__ import annotations

import signal

import pytest

from cronjobs.exceptions import ProcessUnavailable
from cronjobs.executors.inline import run_inline
from cronjobs.executors.process import ForkServer
from tests.integration.processes.attempts import Running, helpers_of, lines_of
from tests.servers import is_gone, wait_for

pytestmark = pytest.mark.django_db(transaction=True)


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


def test_a_guardian_that_was_stopped_is_killed_with_all_it_guards(perform, settings, tmp_path, monkeypatch):
    settings.CRONJOBS = {**settings.CRONJOBS, "KILL_GRACE": 0.2}
    # As long as it is in truth, nobody wants to wait.
    monkeypatch.setattr("cronjobs.executors.process.attempts._GUARDIAN_PATIENCE", 0.5)

    execution = perform("stops-its-guardian", path=str(tmp_path / "pids"))

    assert (execution.status, execution.error_type) == ("failed", "cronjobs.exceptions.ProcessDied")
    for pid in helpers_of(tmp_path / "pids"):
        wait_for(lambda pid=pid: is_gone(pid))
