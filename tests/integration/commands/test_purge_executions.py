"""`purge_executions` deletes what is older than it is kept, or tells what that would be."""

from __future__ import annotations

import json

import pytest

from cronjobs.models import Job, JobExecution
from tests.commands import address_of_nobody, run_command, run_command_process
from tests.integration.retention.conftest import DAY, add_traces, left
from tests.integration.retention.conftest import all_is_counted as all_is_counted  # noqa: PLC0414 - a fixture
from tests.integration.retention.conftest import record as record  # noqa: PLC0414 - another
from tests.integration.tables import everything

pytestmark = pytest.mark.django_db


@pytest.fixture
def history(make_job, record):
    """Executions of two jobs, successes and failures, of each so many days ago; the newest is of yesterday."""
    for name in ("noop", "succeeds"):
        job = make_job(name)
        for days in (100, 60, 20, 10):
            add_traces(record(job, days))
            add_traces(record(job, days, "failed"))
        record(job, 2)


def purge(*arguments):
    return run_command("purge_executions", *arguments)


def test_it_deletes_what_the_settings_say(history):
    assert purge() == ("Deleted 6 executions, 6 attempts, 12 lines of logs.\n", "", 0)
    assert JobExecution.objects.count() == 12
    assert purge() == ("Deleted nothing.\n", "", 0)


def test_a_dry_run_tells_the_same_and_writes_nothing(history):
    before = everything()

    assert purge("--dry-run") == ("Would delete 6 executions, 6 attempts, 12 lines of logs.\n", "", 0)

    assert everything() == before


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--older-than", "15d"), 8),
        (("--older-than", "8w"), 6),
        (("--older-than", "1440h"), 6),
        (("--failures-older-than", "15d"), 10),
        (("--older-than", "5d", "--failures-older-than", "5d"), 16),
        (("--keep", "2"), 10),
        (("--job", "noop"), 3),
        (("--batch", "1"), 6),
    ],
)
def test_every_option_changes_what_is_deleted(history, arguments, expected):
    out, _, code = purge("--json", *arguments)

    assert code == 0
    assert json.loads(out)["deletedCount"] == expected
    assert JobExecution.objects.count() == 18 - expected


def test_the_json_tells_what_was_asked_for(history, database_now):
    document = json.loads(purge("--json", "--dry-run", "--job", "noop", "--keep", "7").out)

    assert document.pop("endedBefore")[:10] == f"{database_now - 30 * DAY:%Y-%m-%d}"
    assert document.pop("failedBefore")[:10] == f"{database_now - 90 * DAY:%Y-%m-%d}"
    assert document == {
        "deletedCount": 3,
        "attemptCount": 3,
        "logLineCount": 6,
        "auditEntryCount": 0,
        "suspectCount": 0,
        "alertCount": 0,
        "rollupCount": 0,
        "keptPerJob": 7,
        "waitsForRollupsSince": None,
        "jobName": "noop",
        "dryRun": True,
    }


def test_the_history_of_a_job_that_is_gone_can_be_purged(history):
    Job.objects.filter(name="noop").delete()

    assert purge("--job", "noop", "--older-than", "1d", "--failures-older-than", "1d").code == 0
    assert not JobExecution.objects.filter(job_name="noop").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--older-than", "soon"), "'soon' is not an age, such as 30d, 36h or 8w."),
        (("--older-than", "0d"), "'0d' is not an age"),
        (("--older-than", "23h"), "What is younger than a day is never deleted, and 23h is less."),
        (("--failures-older-than", "-5d"), "argument --failures-older-than"),
        (("--keep", "0"), "'0' is not a whole number of at least 1."),
        (("--batch", "901"), "A batch has at most 900 executions."),
        (("--job", "nobody"), "There is no job 'nobody', and nothing that it has left."),
    ],
)
def test_what_cannot_be_meant_is_refused_and_nothing_is_deleted(history, arguments, words):
    before = left()

    out, err, code = purge(*arguments)

    assert (out, code) == ("", 2)
    assert words in err
    assert left() == before


def test_whoever_keeps_less_than_the_settings_is_told_what_that_means(history):
    out, err, code = purge("--older-than", "15d")

    assert (out, code) == ("Deleted 8 executions, 8 attempts, 16 lines of logs.\n", 0)
    assert "cronbackfill will not know" in err


def test_a_database_that_is_away_is_one_sentence():
    out, err, code = run_command_process("purge_executions", DATABASE_URL=address_of_nobody("hunter2"))

    assert (out, code) == ("", 1)
    assert err.startswith("CommandError: ")
    assert "Traceback" not in err
    assert "hunter2" not in err
