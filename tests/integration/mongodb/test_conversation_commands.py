from __future__ import annotations

import getpass
import json
import subprocess
import sys
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from cronjobs.documents import database
from cronjobs.events import execution_started
from cronjobs.models import Job, JobExecution
from cronjobs.registry import registry
from tests.integration.mongodb.evidence import NOW, NOW_TEXT, UNREACHABLE, fill, raw
from tests.servers import ROOT, command_environment

pytestmark = pytest.mark.mongo


@pytest.fixture
def jobs(mongodb, db):
    Job.objects.ensure(registry)


def output_of(*arguments: str) -> str:
    """Return what a command prints."""
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def json_of(*arguments: str) -> Any:
    """Return the JSON that a command prints."""
    return json.loads(output_of(*arguments, "--json"))


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `manage.py` as a person would."""
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, str(ROOT / "manage.py"), *arguments],
        env=command_environment(**environment),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(("minutes", "stale"), [(10, 1772), (30, 1719)])
def test_a_dry_run_counts_and_writes_nothing_anywhere(mongodb, django_assert_num_queries, db, minutes, stale):
    fill(mongodb, "conversation_states")
    before = raw(mongodb["conversation_states"])

    with django_assert_num_queries(0):
        result = json_of("cleanup_legacy", "--minutes", str(minutes), "--dry-run", "--now", NOW_TEXT)

    assert (result["matchedCount"], result["modifiedCount"], result["dryRun"]) == (stale, 0, True)
    assert raw(mongodb["conversation_states"]) == before


def test_the_clean_up_is_recorded_as_a_manual_execution(mongodb, jobs):
    fill(mongodb, "conversation_states")

    result = json_of("cleanup_legacy", "--minutes", "10", "--now", NOW_TEXT)

    execution = JobExecution.objects.get(pk=result.pop("executionId"))
    assert result == execution.result
    assert (result["success"], result["modifiedCount"]) == (True, 1772)
    assert (execution.job_name, execution.trigger) == ("cleanup-legacy-conversations", "manual")
    assert (execution.status, execution.attempt, execution.max_attempts) == ("succeeded", 1, 1)
    assert execution.requested_by == getpass.getuser()
    assert execution.params == {"minutes": 10, "now": "2026-01-15T10:30:00.000Z"}
    assert mongodb["conversation_states"].count_documents({"updatedAt": NOW, "isActive": False}) == 1772


def test_the_clean_up_says_in_a_sentence_what_it_did(mongodb, jobs):
    mongodb["conversation_states"].insert_one({"isActive": True, "createdAt": NOW})

    would = output_of("cleanup_legacy", "--dry-run", "--now", "2026-01-15T12:30:00+01:00")
    did = output_of("cleanup_legacy", "--now", "2026-01-15T12:30:00+01:00")

    found = "active and created before 2026-01-15T11:20:00.000Z"
    assert would == f"1 conversations would be deactivated: {found}. Nothing was written.\n"
    assert did == f"1 conversations deactivated: {found}. Execution {JobExecution.objects.get().pk}.\n"


def test_a_clean_up_by_hand_does_not_mind_one_that_runs(mongodb, jobs):
    job = Job.objects.get(name="cleanup-legacy-conversations")
    other = JobExecution.objects.request(job.name)
    other.status = "running"
    other.save()

    assert json_of("cleanup_legacy")["success"] is True


def test_the_statistics_are_those_of_the_old_program(mongodb):
    fill(mongodb, "conversation_states")

    counts = json_of("conversation_stats", "--now", NOW_TEXT)
    older = json_of("conversation_stats", "--now", NOW_TEXT, "--minutes", "30")

    assert counts == {
        "total": 3005,
        "active": 1877,
        "inactive": 1126,
        "oldActive": 1772,
        "oldInactive": 1051,
        "cutoff": "2026-01-15T10:20:00.000Z",
        "timestamp": "2026-01-15T10:30:00.000Z",
    }
    assert older["oldActive"] == 1719


def test_the_statistics_are_readable(mongodb):
    lines = output_of("conversation_stats", "--now", NOW_TEXT).splitlines()

    assert lines[0] == "total        0"
    assert lines[-1] == "timestamp    2026-01-15T10:30:00.000Z"


@pytest.mark.parametrize("command", ["cleanup_legacy", "conversation_stats"])
@pytest.mark.parametrize("minutes", ["0", "-5", "abc", "1e12", "1000000000000", "2.5", "", "9" * 5000])
def test_a_number_of_minutes_that_cannot_be_meant_is_refused(mongodb, command, minutes):
    mongodb["conversation_states"].insert_one({"isActive": True, "createdAt": NOW})

    with pytest.raises(CommandError, match="argument --minutes: must be a whole number from 1 to 5256000") as caught:
        call_command(command, f"--minutes={minutes}")

    assert len(str(caught.value)) < 200
    assert mongodb["conversation_states"].count_documents({"isActive": True}) == 1


@pytest.mark.parametrize("command", ["cleanup_legacy", "conversation_stats"])
@pytest.mark.parametrize("now", ["today", "2026-01-15", "2026-01-15T10:30:00", "1969-12-31T23:59:59Z"])
def test_a_time_that_cannot_be_meant_is_refused(mongodb, command, now):
    with pytest.raises(CommandError, match="argument --now: must "):
        call_command(command, "--now", now)


@pytest.mark.parametrize("arguments", [["cleanup_legacy"], ["cleanup_legacy", "--dry-run"], ["conversation_stats"]])
def test_an_unreachable_server_is_one_line_without_the_password(jobs, settings, arguments):
    settings.CRONJOBS = {"MONGODB_URI": UNREACHABLE, "MONGODB_TIMEOUT": 0.1}

    with pytest.raises(CommandError) as caught:
        call_command(*arguments)

    assert str(caught.value).startswith("MongoDB at 127.0.0.1:9 is not available: ")
    assert "\n" not in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_the_clean_up_by_hand_waits_three_seconds_at_most_for_a_server(mongodb, jobs, settings):
    settings.CRONJOBS = {**settings.CRONJOBS, "MONGODB_TIMEOUT": 60}
    waits = []

    def look(**_: Any) -> None:
        waits.append(database().client.options.server_selection_timeout)

    execution_started.connect(look)
    try:
        output_of("cleanup_legacy")
    finally:
        execution_started.disconnect(look)

    assert waits == [3]
    assert database().client.options.server_selection_timeout == 60


def test_a_failed_clean_up_is_recorded_and_not_tried_again(jobs, settings):
    settings.CRONJOBS = {"MONGODB_URI": UNREACHABLE, "MONGODB_TIMEOUT": 0.1}

    with pytest.raises(CommandError):
        call_command("cleanup_legacy")

    execution = JobExecution.objects.get()
    assert (execution.status, execution.attempt, execution.trigger) == ("failed", 1, "manual")
    assert execution.error_type == "cronjobs.exceptions.MongoUnavailable"


@pytest.mark.parametrize("arguments", [["cleanup_legacy"], ["conversation_stats"], ["load_conversations", "-"]])
def test_without_a_mongodb_the_commands_say_so(settings, arguments):
    settings.CRONJOBS = {}

    with pytest.raises(CommandError, match="No MongoDB is configured: set CRONJOBS\\['MONGODB_URI'\\]"):
        call_command(*arguments)


def test_before_migrate_has_made_the_job_the_clean_up_says_what_to_do(mongodb, db):
    Job.objects.all().delete()

    with pytest.raises(CommandError, match=r"no job named 'cleanup-legacy-conversations'\. Run manage\.py migrate"):
        call_command("cleanup_legacy")


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_process_ends_with_the_documented_code_and_without_a_traceback(mongodb, mongodb_uri):
    done = run("cleanup_legacy", "--dry-run", TEST_MONGODB_URI=mongodb_uri)
    unreachable = run("cleanup_legacy", "--dry-run", TEST_MONGODB_URI=UNREACHABLE)
    misused = run("cleanup_legacy", "--minutes", "-5", TEST_MONGODB_URI=mongodb_uri)
    untellable = run("cleanup_legacy", DATABASE_URL="sqlite:////nowhere/db.sqlite3", TEST_MONGODB_URI=mongodb_uri)

    assert [each.returncode for each in (done, unreachable, misused, untellable)] == [0, 1, 2, 1]
    assert done.stderr == ""
    assert unreachable.stderr.count("\n") == 1
    assert unreachable.stderr.startswith("CommandError: MongoDB at 127.0.0.1:9 is not available")
    assert "Traceback" not in misused.stderr + untellable.stderr


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_an_unreachable_server_leaves_one_line_on_the_terminal(mongodb):
    Job.objects.ensure(registry)

    done = run("cleanup_legacy", TEST_MONGODB_URI=UNREACHABLE)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [done.stderr.strip()]
    assert done.stderr.startswith("CommandError: MongoDB at 127.0.0.1:9 is not available")
    assert "s3cret" not in done.stderr
    connection.close()
    assert JobExecution.objects.get().status == "failed"


@pytest.mark.parametrize("command", ["cleanup_legacy", "conversation_stats", "load_conversations"])
def test_the_help_documents_exit_codes_with_examples(command, capsys):
    with pytest.raises(SystemExit, match="0"):
        call_command(command, "--help")

    text = capsys.readouterr().out
    assert f"examples:\n  manage.py {command}" in text
    assert "exit codes:\n  0  " in text
