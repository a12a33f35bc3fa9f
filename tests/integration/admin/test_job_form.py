"""The page of a job: seeing it, changing it, making and deleting one."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any

import pytest
from django import forms
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cronjobs.database import read_clock
from cronjobs.models import Calendar, Job
from cronjobs.scheduler.plans import sync
from tests.integration.admin.pages import JOBS, change_url, get, text_of
from tests.integration.conftest import CALLABLES


@pytest.fixture
def plain(make_job):
    """A job that inherits everything."""
    return make_job("noop", schedule=None)


def fields_of(client: Any, job: Job | None = None) -> dict[str, Any]:
    """Return what a browser would post if nobody touched the form."""
    url = f"{JOBS}add/" if job is None else change_url(job)
    form = client.get(url).context["adminform"].form
    data: dict[str, Any] = {}
    for bound in form:
        value = bound.value()
        # A date and a time, two inputs, are added by the tests that are about them.
        if bound.name == "paused_until" or bound.field.disabled or value is None:
            continue
        if isinstance(bound.field, forms.NullBooleanField):
            data[bound.html_name] = str(value).lower()
        elif value is not False:
            data[bound.html_name] = "on" if value is True else value
    return data


def save(client: Any, job: Job, **changes: Any) -> Any:
    """Post the form of a job with changes; an error is what the page then says."""
    return client.post(change_url(job), {**fields_of(client, job), **changes})


def error_on(response: Any, field: str) -> str:
    return " ".join(response.context["adminform"].form.errors.get(field, []))


def test_saving_an_untouched_form_changes_nothing(operator, make_job):
    job = make_job("noop", schedule=None, catch_up="all", max_attempts=5, rerun_lost=False)
    before = Job.objects.filter(pk=job.pk).values().get()

    response = save(operator, job)

    assert response.status_code == 302
    assert Job.objects.filter(pk=job.pk).values().get() == before


def test_what_is_emptied_is_inherited_again(operator, make_job):
    job = make_job(
        "noop", schedule="@daily", time_zone="Europe/Paris", catch_up="all", overlap="forbid", queue="slow",
        priority=5, max_attempts=7, misfire_grace=timedelta(minutes=1), max_delay=timedelta(hours=1), rerun_lost=True,
        max_instances=3, initial_delay=timedelta(seconds=5), backoff_multiplier=3.0,
    )  # fmt: skip
    columns = [
        "schedule", "time_zone", "catch_up", "overlap", "queue", "priority", "max_attempts", "misfire_grace", "max_delay",
        "max_instances", "initial_delay", "backoff_multiplier",
    ]  # fmt: skip

    save(operator, job, **dict.fromkeys(columns, ""), rerun_lost="unknown")

    job.refresh_from_db()
    assert {column: getattr(job, column) for column in (*columns, "rerun_lost")} == dict.fromkeys(
        (*columns, "rerun_lost")
    )


def test_the_form_says_what_an_empty_field_inherits(operator, make_job, settings):
    settings.CRONJOBS = {"RETRY": {"MAX_ATTEMPTS": 4}, "TIME_ZONE": "Asia/Tokyo", "SCHEDULES": {"noop": "0 7 * * *"}}

    source = get(operator, change_url(make_job("noop", max_attempts=9, schedule=None)))

    text = text_of(source)
    for part in (
        "Inherited: 0 7 * * *.",
        "Inherited: Asia/Tokyo.",
        "Default: 4.",
        "Set here Restore default",
        "Inherited: Medium.",
    ):
        assert part in text
    assert '<option value="" selected>Inherited: Only the newest.</option>' in source
    assert '<option value="unknown" selected>Inherited: no.</option>' in source


@pytest.mark.parametrize(
    ("typed", "stored", "shown"),
    [("512M", 512 * 2**20, "512M"), ("2 GiB", 2**31, "2048M"), ("1000", 1000, 1000), ("", None, None)],
)
def test_a_memory_limit_is_typed_as_in_code_and_shown_so(operator, make_job, typed, stored, shown):
    job = make_job("noop", memory_limit=5)

    save(operator, job, memory_limit=typed)

    job.refresh_from_db()
    assert job.memory_limit == stored
    assert fields_of(operator, job).get("memory_limit") == shown
    before = Job.objects.filter(pk=job.pk).values().get()
    save(operator, job)
    assert Job.objects.filter(pk=job.pk).values().get() == before


def test_the_form_promises_nothing_of_a_thread_that_overruns(operator, make_job):
    assert "A thread cannot be; it is reported as overrunning." in text_of(get(operator, change_url(make_job("noop"))))


def test_a_form_of_a_broken_job_opens(operator, make_job):
    job = make_job("noop")
    Job.objects.filter(pk=job.pk).update(definition="gone", schedule="61 * * * *", params=[1])

    text = text_of(get(operator, change_url(job)))

    assert "Broken" in text
    assert "gone (not registered)" in text
    assert "Inherited" not in text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("schedule", "61 * * * *"),
        ("schedule", "* * * *"),
        ("time_zone", "Mars/Base"),
        ("max_attempts", "0"),
        ("max_attempts", "-1"),
        ("max_instances", "0"),
        ("backoff_multiplier", "0.5"),
        ("misfire_grace", "soon"),
        ("params", "[1]"),
        ("params", "{"),
        ("params", '{"unknown": 1}'),
        ("catch_up", "sometimes"),
        ("memory_limit", "much"),
        ("memory_limit", "0"),
        ("memory_limit", "999999999999999T"),
    ],
)
def test_a_mistake_is_reported_on_its_field_and_nothing_is_saved(operator, plain, field, value):
    before = Job.objects.filter(pk=plain.pk).values().get()

    response = save(operator, plain, **{field: value})

    assert response.status_code == 200
    assert error_on(response, field)
    assert Job.objects.filter(pk=plain.pk).values().get() == before


@pytest.mark.parametrize("path", CALLABLES)
def test_only_what_the_code_registers_can_be_scheduled(superuser, plain, sentinel, path):
    before = list(Job.objects.order_by("pk").values())
    made = {**fields_of(superuser), "name": "mine", "definition": path}

    for response in (save(superuser, plain, definition=path), superuser.post(f"{JOBS}add/", made)):
        assert error_on(response, "definition")

    assert not sentinel.exists()
    assert "sentinel_module" not in sys.modules
    assert list(Job.objects.order_by("pk").values()) == before


def test_parameters_that_are_no_json_come_back_as_they_were_typed(operator, make_job):
    response = save(operator, make_job("noop"), params='{"a": ')

    assert "{&quot;a&quot;: " in response.content.decode()


def test_on_demand_only_is_not_the_same_as_inheriting(operator, plain):

    save(operator, plain, on_demand="on")
    plain.refresh_from_db()
    assert plain.schedule == ""
    assert fields_of(operator, plain)["on_demand"] == "on"

    data = fields_of(operator, plain)
    del data["on_demand"]
    operator.post(change_url(plain), data)
    plain.refresh_from_db()
    assert plain.schedule is None


def test_a_job_is_not_on_demand_only_and_scheduled(operator, plain):
    response = save(operator, plain, on_demand="on", schedule="@daily")

    assert error_on(response, "on_demand")


def test_a_pause_has_an_end_only_if_there_is_a_pause(operator, plain):
    until = {"paused_until_0": "2030-01-01", "paused_until_1": "00:00"}

    refused = save(operator, plain, **until)
    save(operator, plain, paused="on", **until)

    assert error_on(refused, "paused_until")
    plain.refresh_from_db()
    assert (plain.paused, f"{plain.paused_until:%Y-%m-%d %H:%M}") == (True, "2029-12-31 23:00")

    data = fields_of(operator, plain)
    del data["paused"]
    operator.post(change_url(plain), {**data, **until})
    plain.refresh_from_db()
    assert (plain.paused, plain.paused_until) == (False, None)


def test_saving_writes_only_what_was_changed(operator, plain):
    data = fields_of(operator, plain)
    # Meanwhile somebody else edits another field, and a node plans the plain.
    Job.objects.filter(pk=plain.pk).update(owner="somebody else", broken_reason="as a node saw it")
    data["owner"] = ""

    with CaptureQueriesContext(connection) as captured:
        operator.post(change_url(plain), {**data, "schedule": "@daily"})

    (update,) = [
        query["sql"] for query in captured if query["sql"].startswith("UPDATE") and "cronjobs_job" in query["sql"]
    ]
    assert "planned_" not in update
    assert "broken_reason" not in update
    assert not [query for query in captured if "django_apscheduler" in query["sql"] and "SELECT" not in query["sql"]]


def test_nodes_notice_a_saved_job(operator, plain):
    sync(read_clock("default"))

    save(operator, plain, schedule="@daily")

    assert list(Job.objects.stale()) == [plain]


def test_masked_parameters_are_shown_masked_and_stay_as_they_are(operator, define):
    job = define(lambda context, **options: None)
    stored = {"token": "s3cr3t", "nested": [{"password": "hunter2"}], "days": 1}
    Job.objects.filter(pk=job.pk).update(params=stored)
    shown = fields_of(operator, job)["params"]
    assert "s3cr3t" not in get(operator, change_url(job))
    assert "hunter2" not in get(operator, change_url(job))

    save(operator, job, owner="me")
    job.refresh_from_db()
    assert job.params == stored

    save(operator, job, params=shown.replace('"days": 1', '"days": 2'))
    job.refresh_from_db()
    assert job.params == {**stored, "days": 2}

    save(operator, job, params='{"token": "new"}')
    job.refresh_from_db()
    assert job.params == {"token": "new"}


def test_a_secret_within_a_text_is_shown_masked_and_stays_as_it_is(operator, define):
    job = define(lambda context, **options: None)
    stored = {"address": "postgres://ann:hunter2@db/x", "options": ["--password hunter2"], "days": 1}
    Job.objects.filter(pk=job.pk).update(params=stored)
    shown = fields_of(operator, job)["params"]
    assert "hunter2" not in get(operator, change_url(job))

    save(operator, job, params=shown.replace('"days": 1', '"days": 2'))

    job.refresh_from_db()
    assert job.params == {**stored, "days": 2}


def test_emptied_parameters_are_none_at_all(operator, define):
    job = define(lambda context, **options: None)
    Job.objects.filter(pk=job.pk).update(params={"days": 1})

    save(operator, job, params="")

    job.refresh_from_db()
    assert job.params == {}


def test_a_name_is_fixed_once_it_is_there(operator, make_job):
    job = make_job("noop")

    save(operator, job, name="other")

    job.refresh_from_db()
    assert job.name == "noop"


@pytest.mark.parametrize(
    "name", ["reports/daily", "a.b", "x y", "nächtlich 日報", "..", "a%2Fb", "?q", "<b>", "n" * 255, "Upper", "-a", ""]
)
def test_a_name_that_no_address_could_hold_is_refused(superuser, name):
    data = {**fields_of(superuser), "name": name, "definition": "noop"}

    response = superuser.post(f"{JOBS}add/", data)

    assert error_on(response, "name")


def test_a_second_job_of_a_definition_can_be_made(superuser):
    data = {**fields_of(superuser), "name": "noop-nightly", "definition": "noop", "schedule": "@daily"}

    response = superuser.post(f"{JOBS}add/", data)

    assert response.status_code == 302
    job = Job.objects.named("noop-nightly")
    assert (job.definition, job.schedule, job.time_zone, job.stale) == ("noop", "@daily", None, 1)


def test_the_latest_executions_are_listed(operator, make_execution):
    executions = [make_execution("noop", status="failed") for _ in range(12)]

    source = get(operator, change_url(Job.objects.named("noop")))

    assert change_url(executions[-1]) in source
    assert change_url(executions[0]) not in source


def test_who_may_only_look_sees_effective_values_and_no_secrets(viewer, define):
    job = define(lambda context, **options: None)
    Job.objects.filter(pk=job.pk).update(params={"token": "s3cr3t"}, max_attempts=7)

    source = get(viewer, change_url(job))

    text = text_of(source)
    assert "Most attempts 7 (set here)" in text
    assert "Catch up Only the newest" in text
    assert '"token": "***"' in text
    assert "s3cr3t" not in source
    assert 'name="schedule"' not in source


def test_deleting_explains_that_history_stays_and_that_the_job_comes_back(superuser, make_execution):
    execution = make_execution("noop", status="queued")
    page = f"{JOBS}{execution.job_id}/delete/"

    text = text_of(get(superuser, page))
    superuser.post(page, {"post": "yes"})

    assert "Its executions stay" in text
    assert "comes back" in text
    assert "1 execution of it is still open" in text
    execution.refresh_from_db()
    assert not Job.objects.filter(pk=execution.job_id).exists()


def test_deleting_a_job_of_an_operator_does_not_threaten_its_return(superuser, make_job):
    job = make_job("noop", name="noop-nightly")

    assert "comes back" not in text_of(get(superuser, f"{JOBS}{job.pk}/delete/"))


def test_deleting_several_explains_it_too(superuser, make_job):
    job = make_job("noop")

    page = superuser.post(JOBS, {"action": "delete_selected", "index": 0, "_selected_action": [job.pk]})

    assert "Executions stay" in text_of(page.content.decode())


def test_a_mistake_in_the_form_does_not_change_what_is_said_of_the_job(operator, plain):
    source = save(operator, plain, schedule="61 * * * *").content.decode()

    assert "Broken" not in source
    assert "Run now" in source


def test_a_window_a_calendar_and_jitter_can_be_set(operator, plain):
    calendar = Calendar.objects.create(name="holidays")
    window = {"starts_at_0": "2026-01-01", "starts_at_1": "00:00", "ends_at_0": "2026-12-31", "ends_at_1": "00:00"}

    save(operator, plain, **window, calendar=calendar.pk, jitter="90")

    plain.refresh_from_db()
    assert (plain.calendar, plain.jitter) == (calendar, timedelta(seconds=90))
    assert f"{plain.starts_at:%Y-%m-%d} {plain.ends_at:%Y-%m-%d}" == "2025-12-31 2026-12-30"
