"""The status is remembered job by job, and true at once whatever changes: rows, settings, definitions, calendars."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_apscheduler.models import DjangoJob

from cronjobs import Cron, job
from cronjobs.database import DatabaseNow
from cronjobs.manager import cron_manager, facts
from cronjobs.models import Calendar, Job, JobExecution, Node, Queue
from cronjobs.registry import Problem, registry
from cronjobs.scheduler.clock_rows import clock_id
from cronjobs.scheduler.plans import reconcile
from cronjobs.storable import rfc3339
from tests.integration.conftest import NOON

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _nothing_else(db):
    Job.objects.all().delete()


def statuses(**options):
    return cron_manager.get_status(**options)["cronJobs"]


def status(name="nightly"):
    """Return what is said of a job, after it has been said once: what is wrong then was remembered."""
    return statuses()[name]


def nightly(**columns):
    return Job.objects.create(name="nightly", **{"definition": "noop", "schedule": "0 3 * * *", **columns})


def execution(of, *, started, state="succeeded", **columns):
    times = dict.fromkeys(("scheduled_for", "due_at", "run_after", "claim_at", "queued_at"), NOON)
    return JobExecution.objects.create(
        job=of, job_name=of.name, status=state, first_started_at=started, started_at=started, **times, **columns
    )


def test_everything_that_is_said_of_a_job():
    Node.objects.create(
        name="a", hostname="a", pid=1, version="1", workers=1, started_at=NOON, heartbeat_at=DatabaseNow()
    )
    berlin = nightly(time_zone="Europe/Berlin", paused=True, paused_until=datetime(2060, 1, 1, tzinfo=UTC))
    after = Job.objects.create(name="after", definition="succeeds", depends_on="nightly:failure")
    broken = Job.objects.create(name="broken", definition="noop", schedule="never", enabled=False)
    reconcile(datetime(2026, 3, 1, 12, tzinfo=UTC))
    execution(berlin, started=NOON, state="failed", duration_ms=7)
    late = NOON + HOUR / 3_600_000
    execution(after, started=late, state="running", deadline_at=NOON)
    execution(after, started=NOON, state="running")

    assert statuses() == {
        "after": {
            "running": True,
            "scheduled": False,
            "executing": 2,
            "overrunning": 1,
            "enabled": True,
            "paused": False,
            "pausedUntil": None,
            "schedule": None,
            "description": None,
            "dependsOn": {"nightly": "failure"},
            "timeZone": "UTC",
            "nextRun": None,
            "lastRun": "2026-01-15T12:00:00.001Z",
            "lastStatus": "running",
            "lastDurationMs": None,
            "broken": False,
            "brokenReason": None,
        },
        "broken": {
            "running": False,
            "scheduled": False,
            "executing": 0,
            "overrunning": 0,
            "enabled": False,
            "paused": False,
            "pausedUntil": None,
            "schedule": "never",
            "description": None,
            "dependsOn": {},
            "timeZone": None,
            "nextRun": None,
            "lastRun": None,
            "lastStatus": None,
            "lastDurationMs": None,
            "broken": True,
            "brokenReason": Job.objects.get(pk=broken.pk).why_broken(),
        },
        "nightly": {
            "running": False,
            "scheduled": True,
            "executing": 0,
            "overrunning": 0,
            "enabled": True,
            "paused": True,
            "pausedUntil": "2060-01-01T00:00:00.000Z",
            "schedule": "0 3 * * *",
            "description": "At 03:00 every day (Europe/Berlin)",
            "dependsOn": {},
            "timeZone": "Europe/Berlin",
            "nextRun": "2060-01-01T02:00:00.000Z",
            "lastRun": "2026-01-15T12:00:00.000Z",
            "lastStatus": "failed",
            "lastDurationMs": 7,
            "broken": False,
            "brokenReason": None,
        },
    }


@pytest.mark.parametrize(
    ("columns", "key", "expected"),
    [
        ({"schedule": "0 4 * * *"}, "description", "At 04:00 every day (UTC)"),
        ({"time_zone": "Asia/Kolkata"}, "description", "At 03:00 every day (Asia/Kolkata)"),
        ({"schedule": ""}, "schedule", None),
        ({"definition": "no-such"}, "broken", True),
        ({"enabled": False}, "enabled", False),
        ({"paused": True}, "paused", True),
        ({"paused": True, "paused_until": datetime(2999, 1, 1, tzinfo=UTC)}, "pausedUntil", "2999-01-01T00:00:00.000Z"),
        ({"depends_on": "other:always"}, "dependsOn", {"other": "always"}),
        ({"params": [1]}, "broken", True),
        ({"overlap": "maybe"}, "broken", True),
        ({"max_attempts": 0}, "broken", True),
        ({"backoff_multiplier": 0.5}, "broken", True),
        ({"initial_delay": timedelta(seconds=-1)}, "broken", True),
        ({"rate_limit": "often"}, "broken", True),
        ({"memory_limit": 1, "executor": "thread"}, "broken", True),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else str(value)[:10],
)
def test_an_edited_column_shows_at_once_and_so_does_its_mending(columns, key, expected):
    nightly()
    before = status()
    assert before[key] != expected

    Job.objects.update(**columns)
    assert status()[key] == expected

    Job.objects.update(**{name: Job._meta.get_field(name).get_default() for name in columns})
    Job.objects.update(definition="noop", schedule="0 3 * * *")
    assert status() == before


def test_every_column_that_decides_something_is_watched():
    of_people = {"description", "owner", "created_at", "updated_at"}
    names = {each.attname for each in Job._meta.concrete_fields if not each.attname.startswith("planned_")}
    pk = nightly().pk

    def text():
        return facts.with_text(Job.objects.filter(pk=pk)).values_list("text", flat=True).get()

    # As unlike the default as the column's type allows.
    calendar = Calendar.objects.create(name="closed", dates=["2999-12-25"])
    values = {
        "CharField": "x",
        "TextField": "x",
        "JSONField": {"a": 1},
        "DateTimeField": NOON,
        "DurationField": HOUR,
        "FloatField": 1.5,
    }
    values["ForeignKey"] = calendar.pk
    for name in sorted(names - of_people - {"id", "stale"}):
        before, field = text(), Job._meta.get_field(name)
        stored = Job.objects.values_list(name, flat=True).get(pk=pk)
        Job.objects.filter(pk=pk).update(**{name: values.get(field.get_internal_type(), not stored)})
        assert text() != before, name
        Job.objects.filter(pk=pk).update(**{name: stored})


def test_nothing_and_what_looks_like_it_are_told_apart():
    pk, texts = nightly().pk, []
    for value in (None, "", "NULL", "'NULL'", ","):
        Job.objects.filter(pk=pk).update(time_zone=value)
        texts += facts.with_text(Job.objects.filter(pk=pk)).values_list("text", flat=True)

    assert len(set(texts)) == 5


@pytest.mark.parametrize(
    ("setting", "key", "expected"),
    [
        ({"TIME_ZONE": "Europe/Berlin"}, "timeZone", "Europe/Berlin"),
        ({"SCHEDULES": {"inherits": "0 5 * * *"}}, "schedule", "0 5 * * *"),
        ({"SCHEDULES": {"inherits": "never"}}, "broken", True),
        ({"PAUSED": True}, "paused", True),
    ],
    ids=["time zone", "schedule", "broken", "paused"],
)
def test_an_overridden_setting_shows_at_once(settings, setting, key, expected):
    Job.objects.create(name="inherits", definition="noop")
    before = status("inherits")
    assert before[key] != expected
    stored = settings.CRONJOBS

    settings.CRONJOBS = {**stored, **setting}
    assert status("inherits")[key] == expected

    settings.CRONJOBS = stored
    assert status("inherits") == before


def test_a_definition_that_comes_changes_and_goes_shows_at_once():
    Job.objects.create(name="of-code", definition="of-code")
    problem = Problem(where="somewhere.jobs", message="somewhere.jobs cannot be imported.")
    seen = [status("of-code")["brokenReason"]]
    registry.problems.append(problem)
    seen.append(status("of-code")["brokenReason"])
    registry.problems.remove(problem)
    try:
        job("of-code", schedule=Cron("0 1 * * *"))(lambda context: None)
        seen.append(status("of-code")["schedule"])
        registry.remove("of-code")
        job("of-code", schedule=Cron("0 2 * * *"))(lambda context: None)
        seen.append(status("of-code")["schedule"])
    finally:
        registry.remove("of-code")
    seen.append(status("of-code")["brokenReason"])

    missing = "No job definition is registered as 'of-code'."
    assert seen == [missing, f"{missing} {problem.message}", "0 1 * * *", "0 2 * * *", missing]


def test_an_edited_calendar_shows_at_once():
    calendar = Calendar.objects.create(name="closed", dates=["2999-12-25"])
    nightly(calendar=calendar)
    seen = [status()["description"]]
    Calendar.objects.update(dates=["2999-12-25", "2999-12-26"])
    seen.append(status()["description"])
    Calendar.objects.update(dates=["Christmas"])
    seen.append(status()["brokenReason"])

    assert seen[:2] == [f"At 03:00 every day (UTC), except on {days}" for days in ("1 day", "2 days")]
    assert "Christmas" in seen[2]


def test_a_pause_that_is_over_is_over_without_an_edit():
    nightly(paused=True, paused_until=timezone.now() + timedelta(seconds=1))
    assert statuses()["nightly"]["paused"] is True
    moment = Job.objects.get().paused_until

    while timezone.now() <= moment:
        pass
    assert statuses()["nightly"]["paused"] is False


def test_jobs_come_and_go():
    first = nightly()
    assert list(statuses()) == ["nightly"]
    Job.objects.create(name="hourly", definition="noop", schedule="0 * * * *")
    assert list(statuses()) == ["hourly", "nightly"]
    first.delete()
    # On some databases the number of a row that is gone is given to the next.
    Job.objects.create(pk=first.pk, name="weekly", definition="noop", schedule="0 3 * * 1")
    assert {name: each["schedule"] for name, each in statuses().items()} == {
        "hourly": "0 * * * *",
        "weekly": "0 3 * * 1",
    }


def test_whoever_adds_to_the_answer_changes_no_other():
    nightly(depends_on="other")
    answer = statuses()
    answer["nightly"]["seen"] = True
    answer["nightly"]["dependsOn"]["nobody"] = "always"

    assert "seen" not in statuses()["nightly"]
    assert statuses()["nightly"]["dependsOn"] == {"other": "success"}


def test_only_the_jobs_that_are_named():
    for name in ("a", "b", "c"):
        Job.objects.create(name=name, definition="noop")
    Queue.objects.create(name="scarce", limit=1)
    everything = cron_manager.get_status()

    some = cron_manager.get_status(names=["c", "a", "no-such-job", "\x00"])

    assert some["cronJobs"] == {name: everything["cronJobs"][name] for name in ("a", "c")}
    assert some.keys() == everything.keys()
    assert (some["queues"], len(everything["queues"])) == ([], 1)
    assert statuses(names=[]) == {}
    assert list(statuses(names={"b"})) == ["b"]


def test_the_last_run_is_the_latest_start():
    each = nightly()
    for started, state in [(NOON, "failed"), (NOON + HOUR, "lost"), (NOON, "succeeded"), (None, "skipped")]:
        execution(each, started=started, state=state)

    assert (status()["lastRun"], status()["lastStatus"]) == (rfc3339(NOON + HOUR), "lost")


def test_of_two_that_started_together_the_newer_one_counts():
    each = nightly()
    for state in ("succeeded", "failed"):
        execution(each, started=NOON, state=state)

    assert status()["lastStatus"] == "failed"


def test_a_job_that_has_only_skipped_has_never_run():
    execution(nightly(), started=None, state="skipped")

    assert (status()["lastRun"], status()["lastStatus"], status()["lastDurationMs"]) == (None, None, None)


def test_a_next_run_beyond_python_s_calendar_is_none(make_job):
    each = nightly()
    reconcile(NOON)
    value = {"postgresql": "infinity", "mysql": None, "sqlite": "soon"}[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE django_apscheduler_djangojob SET next_run_time = %s WHERE id = %s", [value, clock_id(each.pk)]
        )
    assert DjangoJob.objects.filter(pk=clock_id(each.pk)).exists()

    assert (status()["scheduled"], status()["nextRun"]) == (False, None)


def test_as_many_queries_for_many_as_for_one():
    # Django asks a database once what it can do.
    statuses()
    counts = []
    for number in (1, 10, 100):
        Job.objects.all().delete()
        Job.objects.bulk_create(Job(name=f"job-{i}", definition="noop", schedule="0 3 * * *") for i in range(number))
        for each in Job.objects.all()[:10]:
            execution(each, started=NOON)
        reconcile(timezone.now())
        facts._known.clear()
        with CaptureQueriesContext(connection) as first:
            assert len(statuses()) == number
        with CaptureQueriesContext(connection) as others:
            assert len(statuses()) == number
        counts.append((len(first), len(others)))

    # What the jobs come to takes one more, once.
    assert counts == [(6, 5)] * 3


def test_what_is_remembered_does_not_grow_with_edits():
    nightly()
    sizes = set()
    for hour in range(5):
        Job.objects.update(schedule=f"0 {hour} * * *")
        statuses()
        sizes.add(len(facts._known))

    assert len(sizes) == 1


def test_no_job_is_left_out_when_too_many_are_remembered(monkeypatch):
    Job.objects.bulk_create(Job(name=f"job-{i}", definition="noop", schedule="0 3 * * *") for i in range(10))
    everything = statuses().keys()
    monkeypatch.setattr(facts, "_MOST", 5)

    Job.objects.filter(name="job-3").update(schedule="0 4 * * *")

    assert statuses().keys() == everything
    assert statuses()["job-3"]["schedule"] == "0 4 * * *"
