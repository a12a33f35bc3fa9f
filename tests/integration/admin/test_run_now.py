"""Running a job by hand: a row is written, and what is said about it is true."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django import forms
from django.contrib.admin.models import LogEntry
from django.utils import timezone

from cronjobs.database import read_clock
from cronjobs.models import Job, JobExecution
from cronjobs.scheduler.agenda import next_run_times
from cronjobs.scheduler.node import NodeProcess
from cronjobs.scheduler.plans import sync
from tests.integration.admin.conftest import client_of
from tests.integration.admin.pages import act, change_url, get, messages_of, run_url, text_of
from tests.servers import wait_for

NOBODY = "No node is alive: nothing runs until “manage.py runcron” is started."


class DigestForm(forms.Form):
    days = forms.IntegerField(min_value=1, help_text="How many.")
    since = forms.DateField(required=False)
    token = forms.CharField(required=False)
    loud = forms.BooleanField(required=False)


def digest(context, *, days=1, since=None, token="", loud=False):
    return {"days": days, "since": since, "loud": loud}


def run(client: Any, job: Job, **data: Any) -> list[str]:
    """Press the button on a job's page, and return the messages."""
    return messages_of(client.post(run_url(job), data, follow=True))


def only_execution() -> JobExecution:
    return JobExecution.objects.get()


def test_without_a_node_it_is_queued_and_said_to_wait(operator, make_job):
    job = make_job("noop")

    said = run(operator, job)

    execution = only_execution()
    assert said == [f"warning: Execution #{execution.pk} of noop was queued. {NOBODY}"]
    assert (execution.status, execution.trigger, execution.requested_by) == ("queued", "manual", "operator")


def test_a_node_that_fell_silent_or_stopped_is_not_alive(operator, make_job, make_node):
    make_node("silent", silent_for=timedelta(minutes=5))
    make_node("stopped", stopped_at=timezone.now())

    assert NOBODY in run(operator, make_job("noop"))[0]


def test_with_a_node_it_is_queued_and_no_more_is_said(operator, make_job, make_node):
    make_node()

    said = run(operator, make_job("noop"))

    assert said == [f"success: Execution #{only_execution().pk} of noop was queued."]


def test_the_next_due_time_stays_as_it_is(operator, make_job):
    job = make_job("noop", schedule="0 3 * * *")
    sync(read_clock("default"))
    before = next_run_times()[job.pk]

    run(operator, job)

    assert next_run_times()[job.pk] == before


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
def test_a_node_performs_it_once_within_seconds(django_user_model):
    job, _ = Job.objects.update_or_create(name="succeeds", defaults={"definition": "succeeds", "schedule": "0 3 1 1 *"})
    operator = client_of("operator", django_user_model)
    # Other jobs may be due meanwhile.
    own = JobExecution.objects.filter(job=job)
    node = NodeProcess(workers=2)
    node.start()
    try:
        said = run(operator, job)
        wait_for(lambda: own.filter(status="succeeded").exists())
    finally:
        node.stop(grace=timedelta(seconds=10))

    execution = own.get()
    assert said == [f"success: Execution #{execution.pk} of succeeds was queued."]
    assert (execution.status, execution.trigger, execution.requested_by) == ("succeeded", "manual", "operator")


@pytest.mark.parametrize("status", ["running", "queued"])
def test_a_job_that_is_busy_is_queued_behind_and_said_so(operator, make_job, make_execution, make_node, status):
    make_node()
    job = make_job("fails")
    make_execution("fails", status=status)

    said = run(operator, job)

    assert said[1:] == ["info: An earlier execution is running or waiting, and the new one comes after it: fails."]
    assert JobExecution.objects.filter(job=job, status="queued", trigger="manual").count() == 1


def test_a_job_that_may_overlap_waits_for_nothing(operator, make_job, make_execution, make_node):
    make_node()
    make_execution("noop", status="running")

    assert len(run(operator, make_job("noop"))) == 1


def test_a_retry_that_is_due_later_is_not_waited_for(operator, make_job, make_execution, make_node):
    make_node()
    make_execution("fails", status="queued", run_after=timezone.now() + timedelta(hours=1))

    assert len(run(operator, make_job("fails"))) == 1


@pytest.mark.parametrize(
    ("columns", "word"),
    [({"enabled": False}, "Disabled"), ({"paused": True}, "Paused")],
    ids=["disabled", "paused"],
)
def test_a_job_that_is_switched_off_runs_by_hand_all_the_same(operator, make_job, make_node, columns, word):
    make_node()

    said = run(operator, make_job("noop", **columns))

    assert said[1:] == [f"info: {word}, but a run asked for by hand takes place all the same: noop."]
    assert only_execution().status == "queued"


def test_when_everything_is_paused_it_is_said(operator, make_job, make_node, settings):
    settings.CRONJOBS = {"PAUSED": True}
    make_node()

    assert "but everything is paused by the settings." in run(operator, make_job("noop"))[0]


@pytest.mark.parametrize(
    ("columns", "reason"),
    [({"definition": "gone"}, "'gone'"), ({"schedule": "61 * * * *"}, "61"), ({"broken_reason": "Odd."}, "Odd.")],
    ids=["definition", "schedule", "found by a node"],
)
def test_a_broken_job_is_refused_with_the_reason(operator, make_job, columns, reason):
    job = make_job("noop")
    sync(read_clock("default"))
    Job.objects.filter(pk=job.pk).update(**columns)

    said = run(operator, job)
    page = text_of(get(operator, run_url(job)))

    assert len(said) == 1
    assert said[0].startswith("error: Not queued: noop. ")
    assert reason in said[0]
    assert reason in page
    assert "Run now" not in get(operator, change_url(job))
    assert not JobExecution.objects.exists()


def test_missing_parameters_are_a_reason_too(operator, make_job):
    said = run(operator, make_job("marks"))

    assert said[0].startswith("error: Not queued: marks. ")
    assert "path" in said[0]
    assert not JobExecution.objects.exists()


def test_a_double_click_counts_once(operator, make_job, make_node):
    make_node()
    job = make_job("noop")
    token = operator.get(change_url(job)).context["run_token"]

    first = run(operator, job, run_token=token)
    second = run(operator, job, run_token=token)

    pk = only_execution().pk
    assert first == [f"success: Execution #{pk} of noop was queued."]
    assert second == [f"info: Nothing was queued twice: the same click had queued execution #{pk} of noop."]


def test_another_click_counts_again(operator, make_job):
    job = make_job("noop")

    for _ in range(2):
        run(operator, job, run_token=operator.get(change_url(job)).context["run_token"])

    assert JobExecution.objects.count() == 2


def test_one_click_of_another_person_counts(operator, superuser, make_job):
    job = make_job("noop")

    for client in (operator, superuser):
        run(client, job, run_token="same")

    assert JobExecution.objects.count() == 2


def test_the_button_leads_to_the_execution(operator, make_job):
    response = operator.post(run_url(make_job("noop")))

    assert response.url == change_url(only_execution())


def test_who_ran_it_can_be_read_later(operator, make_job):
    job = make_job("noop")

    run(operator, job)

    entry = LogEntry.objects.get(object_id=job.pk)
    assert entry.get_change_message() == f"Added execution “{only_execution()}”."


def test_the_page_of_a_job_without_a_form_has_the_button(operator, make_job):
    job = make_job("noop")

    source = get(operator, change_url(job))

    assert f'<form class="cron-tool" method="post" action="{run_url(job)}">' in source
    assert "csrfmiddlewaretoken" in source.split("cron-tool")[1].split("</form>")[0]


def test_looking_at_the_run_page_runs_nothing(operator, make_job):
    assert "It runs once" in text_of(get(operator, run_url(make_job("noop"))))
    assert not JobExecution.objects.exists()


def test_a_job_with_a_form_asks_for_its_parameters(operator, define):
    job = define(digest, params_form=DigestForm, params={"days": 3, "token": "s3cr3t"})

    assert f'<a href="{run_url(job)}">' in get(operator, change_url(job))
    source = get(operator, run_url(job))

    assert 'name="days" value="3"' in source
    assert "How many." in source
    assert "s3cr3t" not in source


def test_parameters_of_the_form_are_those_of_the_execution(operator, define):
    job = define(digest, params_form=DigestForm, params={"token": "s3cr3t"})

    run(operator, job, days="7", since="2026-01-15", token="***")

    execution = only_execution()
    assert execution.params == {"days": 7, "since": "2026-01-15", "token": "s3cr3t", "loud": False}
    assert job.resolve().definition.clean(execution.params)["since"] == date(2026, 1, 15)


def test_a_mistake_in_the_form_is_reported_and_runs_nothing(operator, define):
    job = define(digest, params_form=DigestForm)

    response = operator.post(run_url(job), {"days": "0", "run_token": "kept"})

    assert response.status_code == 200
    assert "greater than or equal to 1" in response.content.decode()
    assert 'name="run_token" value="kept"' in response.content.decode()
    assert not JobExecution.objects.exists()


def test_a_mistake_beside_it_shows_no_secret(operator, define):
    job = define(digest, params_form=DigestForm, params={"token": "s3cr3t"})

    source = operator.post(run_url(job), {"days": "0", "token": "***"}).content.decode()

    assert "greater than or equal to 1" in source
    assert 'value="***"' in source
    assert "s3cr3t" not in source


def test_the_action_runs_what_is_selected(operator, make_job, make_node):
    make_node()
    broken = make_job("gone", name="broken")

    said = act(operator, "run_now", make_job("noop"), make_job("fails"), broken)

    assert said == [
        "success: 2 executions were queued.",
        "error: Not queued: broken. No job definition is registered as 'gone'.",
    ]
    assert set(JobExecution.objects.values_list("job_name", "trigger", "requested_by")) == {
        ("noop", "manual", "operator"),
        ("fails", "manual", "operator"),
    }


def test_the_action_without_a_node_says_so(operator, make_job):
    said = act(operator, "run_now", make_job("noop"), make_job("fails"))

    assert said == [f"warning: 2 executions were queued. {NOBODY}"]


def test_a_double_click_on_the_action_counts_once(operator, make_job):
    jobs = [make_job("noop"), make_job("fails")]
    token = get(operator, "/admin/cronjobs/job/").split('name="run_token" value="')[1].split('"')[0]

    act(operator, "run_now", *jobs, run_token=token)
    said = act(operator, "run_now", *jobs, run_token=token)

    assert JobExecution.objects.count() == 2
    assert said == ["info: Nothing was queued twice: the same click had queued fails, noop."]


def test_a_job_that_is_not_there_is_not_found(superuser):
    assert superuser.post("/admin/cronjobs/job/999999/run/").status_code == 404


def test_what_is_said_about_many_jobs_stays_short(operator, make_job, make_node):
    make_node()
    paused = [make_job("noop", name=f"paused-{number:02}", paused=True) for number in range(12)]
    broken = [make_job("gone", name=f"broken-{number:02}") for number in range(12)]

    said = act(operator, "run_now", *paused, *broken)

    assert len(said) == 13
    assert said[1].endswith("paused-09 and 2 more.")
    assert said[-1] == "error: 2 more jobs were not queued."
