"""`croncancel` calls executions off, and says of each what became of it."""

from __future__ import annotations

import json

import pytest

from cronjobs.database import read_clock
from cronjobs.management.arguments import who
from cronjobs.management.commands import croncancel
from cronjobs.models import JobExecution
from cronjobs.models.moves import claim
from tests.commands import run_command

pytestmark = pytest.mark.django_db


@pytest.fixture
def four(make_job):
    """Executions of noop, by what they do: run, were asked to stop, wait, have ended."""
    make_job("noop")
    rows = [JobExecution.objects.request("noop") for _ in range(4)]
    runs, asked, waits, ended = rows
    claim(node="a", limit=2, now=read_clock("default"))
    JobExecution.objects.filter(pk=asked.pk).update(cancel_requested_at=read_clock("default"), cancel_reason="Before.")
    JobExecution.objects.filter(pk=ended.pk).update(status="failed")
    return {"runs": runs.pk, "asked": asked.pk, "waits": waits.pk, "ended": ended.pk}


def test_each_is_told_apart(four):
    out, err, code = run_command("croncancel", *map(str, four.values()), "--reason", "Wrong month.")

    assert (err, code) == ("", 0)
    assert out.splitlines() == [
        f"noop #{four['runs']} runs, and has been asked to stop.",
        f"noop #{four['asked']} runs, and had been asked to stop before.",
        f"noop #{four['waits']} is cancelled.",
        f"noop #{four['ended']} has ended already: it is failed.",
        croncancel._HOW_IT_ENDS,
    ]
    rows = JobExecution.objects.order_by("pk")
    assert list(rows.values_list("status", "cancel_requested_by", "cancel_reason")) == [
        ("running", who(), "Wrong month."),
        ("running", "", "Before."),
        ("cancelled", who(), "Wrong month."),
        ("failed", "", ""),
    ]


def test_what_became_of_each_as_json(four):
    out, _, code = run_command("croncancel", f"#{four['waits']}", str(four["ended"]), str(four["ended"]), "--json")

    assert code == 0
    assert json.loads(out) == [
        {"executionId": four["waits"], "jobName": "noop", "status": "cancelled", "outcome": "cancelled"},
        {"executionId": four["ended"], "jobName": "noop", "status": "failed", "outcome": "had_ended"},
    ]


def test_all_that_is_open_of_a_job(four, make_job):
    make_job("succeeds")
    other = JobExecution.objects.request("succeeds")

    out, _, code = run_command("croncancel", "--job", "noop", "--json")

    assert code == 0
    assert [(each["executionId"], each["outcome"]) for each in json.loads(out)] == [
        (four["runs"], "asked_to_stop"),
        (four["asked"], "asked_before"),
        (four["waits"], "cancelled"),
    ]
    other.refresh_from_db()
    assert other.status == "queued"


def test_a_job_of_which_nothing_is_open(make_job):
    make_job("noop")

    assert run_command("croncancel", "--job", "noop") == ("No execution of noop is open.\n", "", 0)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param([], "Name executions by their numbers, or a job with --job.", id="nothing"),
        pytest.param(["1", "--job", "noop"], "Name executions by their numbers, or a job with --job.", id="both"),
        pytest.param(["--job", "nop"], "There is no job named 'nop'. Did you mean 'noop'?", id="job"),
        pytest.param(["{waits}", "0", "999"], "There is no execution 0 or 999. Nothing was done.", id="number"),
        pytest.param(["x"], "'x' is not the number of an execution, such as 4711.", id="no number"),
        pytest.param(["{waits}", "--reason", "x" * 201], "A reason has at most 200 characters.", id="reason"),
    ],
)
def test_wrong_arguments_are_code_2_one_sentence_and_nothing_done(four, arguments, sentence):
    out, err, code = run_command("croncancel", *(each.format(**four) for each in arguments))

    assert (out, code) == ("", 2)
    assert sentence in err
    assert JobExecution.objects.get(pk=four["waits"]).status == "queued"
