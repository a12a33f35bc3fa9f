"""`cronretry` runs what has ended again, and says as which execution."""

from __future__ import annotations

import json

import pytest

from cronjobs.management.arguments import who
from cronjobs.manager import cron_manager
from cronjobs.models import JobExecution
from tests.commands import run_command

pytestmark = pytest.mark.django_db


@pytest.fixture
def make(make_job):
    """Make an execution of noop in a state, and return its number."""
    make_job("noop")

    def make(status="failed"):
        execution = JobExecution.objects.request("noop")
        JobExecution.objects.filter(pk=execution.pk).update(status=status)
        return execution.pk

    return make


def test_the_new_execution_is_named(make):
    failed = make()

    out, err, code = run_command("cronretry", str(failed))

    rerun = JobExecution.objects.latest("pk")
    assert (out, code) == (f"noop #{failed} runs again as #{rerun.pk}; a node performs it.\n", 0)
    assert err == "No node is alive: it waits until runcron is started.\n"
    assert (rerun.retry_of_id, rerun.requested_by, rerun.trigger) == (failed, who(), "retry")


def test_what_has_to_wait_for_a_resume_is_said(make):
    failed = make()
    cron_manager.pause_all()

    _, err, code = run_command("cronretry", str(failed))

    assert code == 0
    assert "Everything is paused, until somebody resumes it: manage.py cronqueue --resume-all." in err


def test_asking_again_adds_nothing_and_says_so(make):
    failed = make()
    run_command("cronretry", str(failed))

    out, _, code = run_command("cronretry", f"#{failed}")

    assert (out, code) == (f"noop #{failed} is being run again already, as #{failed + 1}.\n", 0)
    assert JobExecution.objects.count() == 2


def test_what_cannot_be_run_again_does_not_keep_back_the_rest(make):
    failed, waits = make(), make("queued")

    out, err, code = run_command("cronretry", str(waits), str(failed), "--json")

    rerun, reason = JobExecution.objects.latest("pk"), f"Execution {waits} cannot be run again: it is still queued."
    assert code == 1
    assert reason in err
    assert json.loads(out) == [
        {
            "executionId": waits,
            "jobName": "noop",
            "retryId": None,
            "isNew": False,
            "error": f"{reason} Cancel it first.",
        },
        {"executionId": failed, "jobName": "noop", "retryId": rerun.pk, "isNew": True, "error": None},
    ]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param([], "the following arguments are required: ID", id="nothing"),
        pytest.param(["0"], "There is no execution 0. Nothing was done.", id="number"),
        pytest.param(["1.5"], "'1.5' is not the number of an execution, such as 4711.", id="no number"),
    ],
)
def test_wrong_arguments_are_code_2_and_one_sentence(make, arguments, sentence):
    failed = make()

    out, err, code = run_command("cronretry", str(failed), *arguments) if arguments else run_command("cronretry")

    assert (out, code) == ("", 2)
    assert sentence in err
    assert JobExecution.objects.count() == 1
