"""Who changed what of a row, when, from which value to which."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.urls import reverse
from django.utils import translation
from rest_framework.authtoken.models import Token

from cronjobs.journal import LONGEST, Change, record_changes
from cronjobs.models import ApiKey, Calendar, Job, JobExecution, Queue
from cronjobs.models.api_key import new_prefix
from cronjobs.security import Actor
from tests.integration.admin.pages import EXECUTIONS, KEYS, QUEUES, act, get, run_url, text_of
from tests.integration.admin.test_job_form import save


def history_of(client, row):
    """Return what a person reads of a row's history."""
    url = reverse(f"admin:cronjobs_{row._meta.model_name}_history", args=[row.pk])
    return text_of(get(client, url).partition('id="change-history"')[2])


@pytest.fixture
def record(django_user_model):
    """Record a change of a job by somebody."""
    ann = django_user_model.objects.create_user("ann")

    def record(job, before, after):
        record_changes(Actor(name="ann", user_id=ann.pk), [Change(job, before, after)])

    return record


def test_a_form_a_button_an_action_and_the_api_tell_who_changed_what(operator, django_user_model, make_job):
    job = make_job("noop", schedule="0 5 * * *")
    token = Token.objects.create(user=django_user_model.objects.create_superuser("sue")).key

    save(operator, job, schedule="30 7 * * *")
    act(operator, "pause", job)
    operator.post(reverse("admin:cronjobs_job_disable", args=[job.pk]))
    operator.patch(
        "/cron/jobs/noop",
        json.dumps({"timeoutSeconds": 90}),
        content_type="application/json",
        headers={"Authorization": f"Token {token}"},
    )

    told = history_of(operator, job)
    year = f"{datetime.now(UTC).year}-"
    entries = [each.split() for each in told.split(year)[1:]]
    assert [(words[2], " ".join(words[3:])) for words in entries] == [
        ("operator", "Changed schedule. From To Schedule 0 5 * * * 30 7 * * *"),
        ("operator", "Changed paused. From To Paused no yes"),
        ("operator", "Changed enabled. From To Enabled yes no"),
        ("sue", "Changed timeout. From To Timeout not set 1 min 30 s"),
    ]


def test_a_pause_by_the_api_tells_its_end(superuser, django_user_model, make_job):
    job = make_job("noop")
    token = Token.objects.create(user=django_user_model.objects.create_superuser("sue")).key
    headers = {"Authorization": f"Token {token}"}

    until = json.dumps({"until": "2126-01-15T10:30:00Z"})
    superuser.post("/cron/jobs/noop/pause", until, content_type="application/json", headers=headers)
    superuser.post("/cron/jobs/noop/resume", b"", content_type="application/json", headers=headers)

    told = history_of(superuser, job)
    assert "sue Changed paused and paused until. From To Paused no yes Paused until not set 2126-01-15 11:30:00" in told
    assert "Paused yes no Paused until 2126-01-15 11:30:00 not set" in told


@pytest.mark.parametrize(
    ("column", "before", "after", "told"),
    [
        ("schedule", None, "", "Schedule not set on demand only"),
        ("priority", 3, 5, "Priority Medium Critical"),
        ("jitter", timedelta(seconds=5), None, "Jitter 5.0 s not set"),
        ("starts_at", None, datetime(2026, 1, 15, 10, 30, tzinfo=UTC), "Not before not set 2026-01-15 11:30:00"),
        ("memory_limit", 2**29, 2**30, "Memory limit 512 MiB 1024 MiB"),
        ("rerun_lost", True, False, "Rerun when lost yes no"),
        ("params", {}, {"days": 2}, 'Parameters {} {"days": 2}'),
        ("backoff_multiplier", 2.0, 3.5, "Backoff multiplier 2.0 3.5"),
        ("owner", "", "ann", "Owner empty ann"),
        ("description", "<b>old</b>", "<i>new</i>", "Description <b>old</b> <i>new</i>"),
    ],
)
def test_each_kind_of_value_is_shown_as_people_read_it(superuser, make_job, record, *, column, before, after, told):
    job = make_job("noop")

    record(job, {column: before}, {column: after})

    assert history_of(superuser, job).endswith(f"From To {told}")


def test_a_calendar_is_told_by_its_name(operator, make_job):
    job, holidays = make_job("noop"), Calendar.objects.create(name="holidays")

    save(operator, job, calendar=holidays.pk)

    assert "Calendar not set holidays" in history_of(operator, job)


def test_secrets_are_masked_where_they_are_stored(operator, define):
    def with_secret(context, *, token, days):
        """Do nothing."""

    job = define(with_secret)
    Job.objects.filter(pk=job.pk).update(params={"token": "s3cr3t", "days": 1})

    save(operator, job, params='{"token": "n3w", "days": 1}')

    job.refresh_from_db()
    assert job.params["token"] == "n3w"
    message = LogEntry.objects.get(action_flag=CHANGE).change_message
    assert "s3cr3t" not in message
    assert "n3w" not in message
    assert "The difference is masked." in history_of(operator, job)


def test_a_long_value_is_cut(operator, make_job):
    job = make_job("noop")

    save(operator, job, description="x" * 20_000)

    assert len(LogEntry.objects.get(action_flag=CHANGE).change_message) < LONGEST + 500
    assert "Description empty xxxx" in history_of(operator, job)


def test_long_parameters_are_cut(superuser, make_job, record):
    job = make_job("noop")

    record(job, {"params": {}}, {"params": {"text": "x" * 20_000}})

    assert 'Parameters {} {"text": "xxxx' in history_of(superuser, job)


def test_saving_what_was_not_changed_tells_of_no_change(operator, make_job):
    job = make_job("noop", schedule=None)

    save(operator, job)

    assert "No fields changed." in history_of(operator, job)


def test_only_the_jobs_that_an_action_changed_have_an_entry(operator, make_job):
    ends = datetime(2126, 1, 15, 10, 30, tzinfo=UTC)
    one, two = make_job("noop"), make_job("fails", paused=True, paused_until=ends)
    three = make_job("skips", paused=True)

    act(operator, "pause", one, two, three)

    assert "Paused no yes" in history_of(operator, one)
    assert history_of(operator, two).endswith("Paused until 2126-01-15 11:30:00 not set")
    assert not LogEntry.objects.filter(object_id=str(three.pk)).exists()


def test_a_queue_tells_it_too(superuser):
    queue = Queue.objects.create(name="heavy")

    act(superuser, "pause", queue, url=QUEUES)

    assert "Paused no yes" in history_of(superuser, queue)


def test_what_buttons_do_is_told_in_the_language_of_whoever_reads(
    superuser, django_user_model, make_job, make_execution
):
    job, waiting, failed = make_job("noop"), make_execution(status="queued"), make_execution(status="failed")
    key = ApiKey(user=django_user_model.objects.create_user("ann"), name="deploy", actions=["view_job"])
    key.make_secret(new_prefix())
    key.save()

    with translation.override("de"):
        superuser.post(run_url(job))
        superuser.post(f"{EXECUTIONS}{waiting.pk}/cancel/", {"reason": ""})
        superuser.post(f"{EXECUTIONS}{failed.pk}/retry/")
        superuser.post(f"{KEYS}{key.pk}/revoke/")

    run, again = JobExecution.objects.exclude(pk__in=[waiting.pk, failed.pk]).order_by("pk")
    told = {
        job: f"Added execution “{run}”.",
        waiting: "Changed asked to stop and status.",
        failed: f"Added execution “{again}”.",
        key: "Changed revoked.",
    }
    for row, text in told.items():
        entry = LogEntry.objects.get(object_id=str(row.pk), content_type__model=row._meta.model_name)
        assert entry.get_change_message() == text
        with translation.override("de"):
            assert entry.get_change_message() != text
    assert "Status Queued Cancelled" in history_of(superuser, waiting)


@pytest.mark.parametrize(
    "message",
    [
        "Run by hand: execution #7.",
        "[is not JSON",
        json.dumps([{"changed": {"fields": ["name"], "values": {"gone": [1, 2]}}}]),
        json.dumps([{"changed": {"fields": ["name"]}}]),
        json.dumps([{"added": {}}]),
    ],
)
def test_an_entry_of_another_kind_is_shown_as_it_is(superuser, django_user_model, make_job, message):
    job, ann = make_job("noop"), django_user_model.objects.create_user("ann")
    LogEntry.objects.log_actions(ann.pk, Job.objects.filter(pk=job.pk), CHANGE, message)

    told = history_of(superuser, job)

    assert "ann" in told
    assert "From To" not in told


def test_a_job_that_nobody_has_changed_has_no_history(superuser, make_job):
    job = make_job("noop")

    url = reverse("admin:cronjobs_job_history", args=[job.pk])
    assert "have a change history" in get(superuser, url)
