from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from cronjobs.exceptions import InvalidParameters
from cronjobs.executors.inline import perform_inline, run_inline
from cronjobs.jobs.cleanup import (
    cleanup_legacy_conversations,
    cleanup_legacy_conversations_custom,
    get_legacy_conversation_stats,
)
from cronjobs.jobs.quotes import cleanup_old_quotes
from cronjobs.models import Job
from cronjobs.registry import registry
from cronjobs.states import ExecutionStatus
from tests.integration.mongodb.evidence import NOW, NOW_TEXT, UNREACHABLE, exported, fill, raw, without
from tests.servers import command_environment

pytestmark = pytest.mark.mongo


@pytest.fixture
def jobs(mongodb, db):
    """The rows of the jobs, which there are only where a MongoDB is configured."""
    Job.objects.ensure(registry)


def test_the_clean_up_changes_two_fields_of_stale_conversations_and_nothing_else(mongodb):
    collection = mongodb["conversation_states"]
    fill(mongodb, "conversation_states")
    before = {each["_id"]: each for each in exported("conversation_states")}
    bytes_before = raw(collection)

    result = cleanup_legacy_conversations(minutes=10, now=NOW)

    changed = {key for key, stored in raw(collection).items() if stored != bytes_before[key]}
    after = {each["_id"]: each for each in collection.find({"_id": {"$in": list(changed)}})}
    assert result == {
        "success": True,
        "matchedCount": 1772,
        "modifiedCount": 1772,
        "deletedCount": 1772,
        "cutoff": "2026-01-15T10:20:00.000Z",
        "timestamp": "2026-01-15T10:30:00.000Z",
    }
    assert len(changed) == 1772
    assert set(raw(collection)) == set(bytes_before)
    for key, document in after.items():
        assert (document["isActive"], document["updatedAt"]) == (False, NOW)
        assert before[key]["isActive"] is True
        assert before[key]["createdAt"] < NOW - timedelta(minutes=10)
        assert without(document, "isActive", "updatedAt") == without(before[key], "isActive", "updatedAt")


def test_of_the_odd_documents_only_the_one_that_matches_is_touched(mongodb):
    fill(mongodb, "conversation_states")
    odd = {each["_id"]: each for each in exported("conversation_states")[-5:]}
    last = list(odd)[-1]

    cleanup_legacy_conversations(minutes=10, now=NOW)

    stored = {each["_id"]: each for each in mongodb["conversation_states"].find({"_id": {"$in": list(odd)}})}
    assert stored == {**odd, last: {**odd[last], "isActive": False, "updatedAt": NOW}}


def test_cleaning_up_twice_changes_nothing_more(mongodb):
    fill(mongodb, "conversation_states")
    cleanup_legacy_conversations(minutes=10, now=NOW)
    before = raw(mongodb["conversation_states"])

    result = cleanup_legacy_conversations(minutes=10, now=NOW + timedelta(microseconds=1))

    assert (result["matchedCount"], result["modifiedCount"]) == (0, 0)
    assert raw(mongodb["conversation_states"]) == before


def test_the_statistics_before_and_after_are_those_of_the_old_program(mongodb):
    fill(mongodb, "conversation_states")

    before = get_legacy_conversation_stats(now=NOW)
    cleanup_legacy_conversations(now=NOW)
    after = get_legacy_conversation_stats(now=NOW)

    times = {"cutoff": "2026-01-15T10:20:00.000Z", "timestamp": "2026-01-15T10:30:00.000Z"}
    assert before == {
        "total": 3005,
        "active": 1877,
        "inactive": 1126,
        "oldActive": 1772,
        "oldInactive": 1051,
        **times,
    }
    assert after == {"total": 3005, "active": 105, "inactive": 2898, "oldActive": 0, "oldInactive": 2823, **times}


def test_the_threshold_is_the_setting_unless_it_is_given(mongodb, settings):
    now = timezone.now()
    ages = {"young": 4, "middle": 6, "old": 11}
    states = [{"_id": name, "isActive": True, "createdAt": now - timedelta(minutes=age)} for name, age in ages.items()]
    mongodb["conversation_states"].insert_many(states)
    settings.CRONJOBS = {**settings.CRONJOBS, "LEGACY_MINUTES": 5}

    assert cleanup_legacy_conversations_custom()["modifiedCount"] == 1
    assert cleanup_legacy_conversations()["modifiedCount"] == 1
    assert cleanup_legacy_conversations_custom(minutes_old=3)["modifiedCount"] == 1


@pytest.mark.parametrize("minutes", [0, -5, "abc", 10**12, 2.5, True, float("nan"), [10]])
def test_a_number_of_minutes_that_cannot_be_meant_is_refused_and_nothing_is_lost(mongodb, jobs, minutes):
    states = [{"isActive": True, "createdAt": datetime(2020, 1, 1, tzinfo=UTC)}]
    mongodb["conversation_states"].insert_many(states)

    with pytest.raises(InvalidParameters, match=r"minutes: .*(whole number|equal to)"):
        run_inline("cleanup-legacy-conversations", params={"minutes": minutes})
    with pytest.raises(InvalidParameters, match="must be a whole number from 1 to 5256000"):
        cleanup_legacy_conversations_custom(minutes_old=minutes)

    assert mongodb["conversation_states"].count_documents({"isActive": True}) == 1


@pytest.mark.parametrize(
    "now", ["yesterday", "2026-01-15T10:30:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00"]
)
def test_a_time_that_cannot_be_meant_is_refused(mongodb, now):
    with pytest.raises(InvalidParameters, match="now: must "):
        cleanup_legacy_conversations(now=now)


@pytest.mark.parametrize("now", ["yesterday", "0001-01-01T00:00:00Z"])
def test_a_requested_time_that_cannot_be_meant_is_refused(jobs, now):
    with pytest.raises(InvalidParameters, match="now: "):
        run_inline("cleanup-legacy-conversations", params={"now": now})


def test_an_unknown_parameter_is_refused(jobs):
    with pytest.raises(InvalidParameters, match="hours: There is no such parameter"):
        run_inline("cleanup-legacy-conversations", params={"hours": 1})


def test_an_execution_keeps_the_result_and_the_log(mongodb, jobs):
    fill(mongodb, "conversation_states")

    execution = run_inline("cleanup-legacy-conversations", params={"minutes": 30, "now": NOW_TEXT})

    assert execution.status == ExecutionStatus.SUCCEEDED
    assert execution.result is not None
    assert execution.result["modifiedCount"] == 1719
    assert execution.result["timestamp"] == "2026-01-15T10:30:00.000Z"
    messages = list(execution.log_lines.values_list("message", flat=True))
    assert messages == ["Looking for stale conversations", "Deactivated 1719 conversations"]


def test_while_mongodb_is_away_the_job_fails_and_its_next_attempt_succeeds(mongodb, jobs, settings):
    fill(mongodb, "conversation_states")
    reachable = settings.CRONJOBS
    settings.CRONJOBS = {"MONGODB_URI": UNREACHABLE, "MONGODB_TIMEOUT": 0.1}

    execution = run_inline("cleanup-legacy-conversations", params={"now": NOW_TEXT})
    attempt = execution.attempts.get()
    settings.CRONJOBS = reachable
    execution.run_after = execution.claim_at = timezone.now()
    execution.save()
    finished = perform_inline(execution)

    assert execution.status == ExecutionStatus.QUEUED
    assert attempt.error_type == "cronjobs.exceptions.MongoUnavailable"
    assert attempt.error_message.startswith("MongoDB at 127.0.0.1:9 is not available: ")
    assert "s3cret" not in attempt.error_message + attempt.traceback
    assert (finished.status, finished.attempt) == (ExecutionStatus.SUCCEEDED, 2)
    assert finished.result is not None
    assert finished.result["modifiedCount"] == 1772


def test_quotes_expire_when_they_are_overdue_and_go_when_they_are_old(mongodb, settings):
    fill(mongodb, "quotes")
    before = {each["_id"]: each for each in exported("quotes")}

    result = cleanup_old_quotes(now=NOW)

    after = {each["_id"]: each for each in mongodb["quotes"].find()}
    kept = {key: each for key, each in before.items() if each["createdAt"] >= NOW - timedelta(days=90)}
    assert result == {
        "success": True,
        "expiredCount": 155,
        "deletedCount": 193,
        "timestamp": "2026-01-15T10:30:00.000Z",
    }
    assert after == {key: expired(each) for key, each in kept.items()}
    assert cleanup_old_quotes(now=NOW) == {**result, "expiredCount": 0, "deletedCount": 0}


def test_odd_quotes_are_left_alone(mongodb):
    old = datetime(2020, 1, 1, tzinfo=UTC)
    odd = [
        {"_id": 1, "status": "pending", "validUntil": "2020-01-01", "createdAt": None},
        {"_id": 2, "status": "pending", "validUntil": None, "createdAt": "2020-01-01"},
        {"_id": 3, "status": "Pending", "validUntil": old},
        {"_id": 4, "status": ["new"], "validUntil": old},
        {"_id": 5, "status": "accepted", "validUntil": old, "createdAt": 0},
        {"_id": 6, "status": "sent", "validUntil": NOW, "createdAt": NOW - timedelta(days=90)},
        {"_id": 7},
    ]
    mongodb["quotes"].insert_many(odd)

    result = cleanup_old_quotes(now=NOW)

    assert (result["expiredCount"], result["deletedCount"]) == (0, 0)
    assert list(mongodb["quotes"].find()) == odd


@pytest.mark.parametrize(
    ("retention", "deleted"),
    [pytest.param(timedelta(days=1), 1, id="a day"), pytest.param(timedelta.max, 0, id="for ever")],
)
def test_the_retention_of_quotes_is_a_setting(mongodb, settings, retention, deleted):
    settings.CRONJOBS = {**settings.CRONJOBS, "QUOTE_RETENTION": retention}
    mongodb["quotes"].insert_one({"createdAt": timezone.now() - timedelta(days=2)})

    assert cleanup_old_quotes()["deletedCount"] == deleted


def test_without_mongodb_the_jobs_have_no_rows(db, settings):
    settings.CRONJOBS = {}

    Job.objects.ensure(registry)

    assert not Job.objects.filter(name__in=["cleanup-legacy-conversations", "cleanup-old-quotes"]).exists()


def test_without_the_drivers_the_app_works_and_says_what_to_install(db):
    program = """
import sys
sys.modules["mongoengine"] = sys.modules["pymongo"] = None
import django
django.setup()
from django.core.management import call_command
call_command("check")
from cronjobs.jobs.cleanup import cleanup_legacy_conversations
try:
    cleanup_legacy_conversations()
except ImportError as error:
    print(error)
"""

    done = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-c", program], env=command_environment(), capture_output=True, text=True, check=True
    )

    assert done.stdout.splitlines()[-1].startswith("MongoDB needs mongoengine and pymongo, which are not installed")


def expired(quote):
    if quote["status"] in {"pending", "sent"} and quote["validUntil"] < NOW:
        return {**quote, "status": "expired", "updatedAt": NOW}
    return quote
