"""A job whose row holds garbage is shown as broken wherever jobs are shown, hides no other, and can be mended."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from cronjobs.health import check_jobs
from cronjobs.manager import cron_manager
from cronjobs.models import Job, JobExecution
from cronjobs.scheduler.plans import reconcile
from tests.integration.api.callers import Caller, assert_error, document
from tests.integration.test_unreadable_rows import JOB_COLUMNS, write

pytestmark = pytest.mark.django_db

# What Python holds, and nobody can mean: every database lets it in.
MEANINGLESS: list[tuple[str, Any]] = [
    ("schedule", "99 * * * *"),
    ("schedule", "\N{BOMB}"),
    ("time_zone", "Mars/Base"),
    ("definition", "no-such-definition"),
    ("params", "[1]"),
    ("params", '"text"'),
    ("depends_on", "a:whenever"),
    ("depends_on", ",,:,"),
    ("rate_limit", "often"),
    ("overlap", "maybe"),
    ("priority", "9"),
    ("executor", "moon"),
    ("backoff_multiplier", "-1"),
]
UNREADABLE: list[tuple[str, Any]] = list(JOB_COLUMNS)
NO_TEXT = b"\xfe"
if connection.vendor == "sqlite":
    # Its columns hold values of any type.
    MEANINGLESS += [("schedule", b"\xff\x00"), ("depends_on", b"\xff"), ("params", b"[]")]
    UNREADABLE += [("starts_at", "2026-02-31 00:00:00"), ("timeout", "-"), ("rate_limit", NO_TEXT)]

KEYS = {
    "time_zone": "timeZone",
    "depends_on": "dependsOn",
    "rate_limit": "rateLimit",
    "backoff_multiplier": "backoffMultiplier",
    "ends_at": "endsAt",
    "starts_at": "startsAt",
    "paused_until": "pausedUntil",
    "jitter": "jitterSeconds",
    "timeout": "timeoutSeconds",
}
SOUND = {"params": {}, "definition": "noop"}
HEALTHY = ["healthy-1", "healthy-2"]


@pytest.fixture
def caller(django_user_model):
    """Somebody who may do everything."""
    return Caller(django_user_model.objects.create_superuser("vera"))


@pytest.fixture(params=[*MEANINGLESS, *UNREADABLE], ids=lambda pair: f"{pair[0]}={pair[1]!r:.12}")
def column(request, make_job):
    """A column with garbage in it, of a job between two healthy ones; each has an execution that waits."""
    Job.objects.all().delete()
    for name in ("healthy-1", "garbage", "healthy-2"):
        make_job("noop", name=name, schedule="0 3 * * *")
        JobExecution.objects.request(name)
    reconcile(timezone.now())
    pk = Job.objects.values_list("pk", flat=True).get(name="garbage")
    name, value = request.param
    write("cronjobs_job", name, value, pk)
    if value == NO_TEXT:
        with connection.cursor() as cursor:
            cursor.execute(f"UPDATE cronjobs_job SET {name} = CAST({name} AS TEXT) WHERE id = %s", [pk])  # noqa: S608 - a name of our own
    return name


def test_the_status_says_why(column, caller):
    before = cron_manager.get_status()["cronJobs"]["healthy-1"].keys()

    jobs = document(caller.get("/cron/status"))["cronJobs"]

    assert [name for name, each in jobs.items() if not each["broken"]] == HEALTHY
    assert jobs["garbage"]["brokenReason"]
    assert jobs["garbage"].keys() == before
    assert (jobs["garbage"]["scheduled"], jobs["garbage"]["nextRun"]) == (False, None)


def test_the_list_of_jobs_says_why(column, caller):
    jobs = {each["name"]: each for each in document(caller.get("/cron/jobs"))["jobs"]}

    assert list(jobs) == ["garbage", *HEALTHY]
    assert [name for name, each in jobs.items() if not each["broken"]] == HEALTHY
    assert jobs["garbage"]["brokenReason"]
    assert jobs["garbage"]["effective"] is None


def test_the_job_says_why_and_refuses_to_run(column, caller):
    shown = document(caller.get("/cron/jobs/garbage"))

    assert shown["broken"] is True
    assert shown["brokenReason"] in assert_error(caller.post("/cron/execute/garbage"), 409, "job_broken")["error"]


def test_the_job_can_be_mended(column, caller):
    answer = caller.patch("/cron/jobs/garbage", {KEYS.get(column, column): SOUND.get(column)})

    assert answer.status_code == 200, answer.content
    assert document(answer)["broken"] is False
    assert cron_manager.get_status()["cronJobs"]["garbage"]["broken"] is False


def test_the_job_can_be_paused(column, caller):
    assert caller.post("/cron/jobs/garbage/pause").status_code == 200

    assert Job.objects.filter(name="garbage", paused=True, paused_until=None).exists()


def test_what_waits_for_it_says_so(column, caller):
    waiting = JobExecution.objects.get(job_name="garbage")

    shown = document(caller.get(f"/cron/executions/{waiting.pk}"))

    assert shown["status"] == "queued"
    assert shown["waitsBecause"]


def test_what_ended_cannot_be_repeated(column, caller):
    JobExecution.objects.filter(job_name="garbage").update(status="failed")
    ended = JobExecution.objects.get(job_name="garbage")

    assert_error(caller.post(f"/cron/executions/{ended.pk}/retry"), 409, "job_broken")


def test_cronstatus_shows_all(column):
    text, data = StringIO(), StringIO()
    call_command("cronstatus", stdout=text)
    call_command("cronstatus", "--json", stdout=data)

    line = {line.split()[0]: line for line in text.getvalue().splitlines() if line}
    assert "broken" in line["garbage"]
    assert not any("broken" in line[name] for name in HEALTHY)
    assert json.loads(data.getvalue())["cronJobs"]["garbage"]["broken"] is True


def test_the_health_check_names_it(column):
    probe = check_jobs()

    assert not probe.is_healthy
    assert list(probe.details["broken"]) == ["garbage"]


def test_the_admin_shows_all(column, client, caller, django_user_model):
    client.force_login(django_user_model.objects.get())
    pk = Job.objects.values_list("pk", flat=True).get(name="garbage")

    jobs = client.get(reverse("admin:cronjobs_job_changelist")).content.decode()
    job = client.get(reverse("admin:cronjobs_job_change", args=[pk])).content.decode()

    assert all(name in jobs for name in ("garbage", *HEALTHY))
    assert jobs.count("Broken</span>") == 1
    assert job.count("Broken</span>") == 1
