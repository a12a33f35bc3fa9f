"""Giving back to the definition and the settings what a job has set itself."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse

from cronjobs.models import Job
from tests.integration.admin.pages import change_url, get, messages_of, text_of

OWN = {"schedule": "0 5 * * *", "timeout": timedelta(seconds=9), "rerun_lost": False, "queue": "slow"}


def defaults_url(job):
    return reverse("admin:cronjobs_job_defaults", args=[job.pk])


@pytest.fixture
def job(make_job):
    """A job that sets some columns itself."""
    return make_job("noop", **OWN)


def own(job):
    job.refresh_from_db()
    return {column for column in OWN if getattr(job, column) is not None}


def ticked(source):
    return {
        part.partition('"')[0]
        for part in source.split('name="column" value="')[1:]
        if " checked" in part.partition(">")[0]
    }


def test_the_form_says_what_is_set_here_and_leads_to_its_default(operator, job):
    source = get(operator, change_url(job))

    assert {column for column in ("schedule", "timeout", "jitter") if f"?column={column}" in source} == {
        "schedule",
        "timeout",
    }
    assert "Set here: Schedule, Queue, Rerun when lost, Timeout" in text_of(source)
    assert defaults_url(job) in source


def test_groups_in_which_something_is_set_are_open(operator, job):
    form = operator.get(change_url(job)).context["adminform"]

    folded = {str(each.name) for each in form if "collapse" in each.classes}
    assert folded == {"Late or overlapping", "Dependencies", "Alerts"}


def test_a_job_that_sets_nothing_offers_nothing_to_restore(operator, make_job):
    job = make_job("noop", schedule=None)

    source = get(operator, change_url(job))

    assert defaults_url(job) not in source
    assert "Restore default" not in source
    assert "all its values are defaults" in get(operator, defaults_url(job))


def test_the_page_asks_about_all_or_about_one(operator, job):
    assert ticked(get(operator, defaults_url(job))) == set(OWN)
    assert ticked(get(operator, defaults_url(job), column="timeout")) == {"timeout"}
    assert "Timeout 9.0 s none" in text_of(get(operator, defaults_url(job)))
    assert own(job) == set(OWN)


def test_what_is_ticked_is_restored_and_nothing_else(operator, job):
    response = operator.post(defaults_url(job), {"column": ["timeout", "queue", "owner", "nonsense"]}, follow=True)

    assert messages_of(response) == ["success: 2 defaults of noop were restored."]
    assert own(job) == {"schedule", "rerun_lost"}


def test_nothing_ticked_is_nothing_restored(operator, job):
    assert messages_of(operator.post(defaults_url(job), follow=True)) == ["warning: 0 defaults of noop were restored."]
    assert own(job) == set(OWN)


def test_parameters_can_be_given_back_too(operator, define):
    def with_days(context, *, days=1):
        """Do nothing."""

    job = define(with_days, params={"days": 3})
    Job.objects.filter(pk=job.pk).update(params={"days": 7})
    assert '{"days": 3}' in text_of(get(operator, change_url(job)))

    operator.post(defaults_url(job), {"column": "params"})

    job.refresh_from_db()
    assert job.params == {}


def test_a_job_that_became_broken_by_it_is_left_as_it_is(operator, define):
    def func(context):
        """Do nothing."""

    job = define(func, executor="thread")
    Job.objects.filter(pk=job.pk).update(executor="process", memory_limit=2**28)

    page = operator.post(defaults_url(job), {"column": "executor"})

    assert "Only a process can be limited" in page.content.decode()
    assert ticked(page.content.decode()) == {"executor"}
    job.refresh_from_db()
    assert job.executor == "process"


def test_a_broken_job_can_be_mended_by_it(operator, job):
    Job.objects.filter(pk=job.pk).update(schedule="61 * * * *")

    operator.post(defaults_url(job), {"column": "schedule"})

    job.refresh_from_db()
    assert job.schedule is None
