"""The list of jobs."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from cronjobs.database import read_clock
from cronjobs.models import Job
from cronjobs.scheduler.plans import sync
from tests.integration.admin.pages import EXECUTIONS, JOBS, NODES, change_url, get, text_of


def row_of(source, name):
    """Return what a person reads in the row of a job."""
    rows = [text_of(row.split("</tr>")[0]) for row in source.split("<tr")[2:]]
    return next(row for row in rows if f" {name} " in f" {row} ")


@pytest.fixture
def listed(viewer):
    return lambda name, **params: row_of(get(viewer, JOBS, **params), name)


def test_a_row_shows_the_schedule_in_words_and_when_it_is_due(listed, make_job):
    make_job("noop", schedule="*/5 * * * *", time_zone="Europe/Berlin")
    sync(read_clock("default"))

    row = listed("noop")

    assert "Every 5 minutes (Europe/Berlin) */5 * * * *" in row
    assert " in " in row
    assert "Enabled" in row


def test_a_job_without_a_schedule_runs_on_demand(listed, make_job):
    make_job("noop", schedule="")

    assert "On demand" in listed("noop")


def test_the_last_execution_is_the_newest_one(listed, make_execution):
    make_execution("noop", status="failed")
    make_execution("noop", status="running")
    make_execution("fails", status="lost")

    assert "Running" in listed("noop")
    assert "Lost" in listed("fails")


def test_a_time_that_has_passed_is_called_overdue(listed, make_job):
    make_job("noop", schedule="* * * * *")
    sync(read_clock("default") - timedelta(minutes=10))

    assert "overdue" in listed("noop")


@pytest.mark.parametrize(
    ("columns", "words", "absent"),
    [
        pytest.param({"enabled": False}, ["Disabled"], ["Enabled"], id="disabled"),
        pytest.param({"paused": True}, ["Paused"], ["Enabled", "until"], id="paused"),
        pytest.param({"enabled": False, "paused": True}, ["Disabled", "Paused"], [], id="both"),
    ],
)
def test_what_keeps_a_job_from_running_is_shown(listed, make_job, columns, words, absent):
    make_job("noop", **columns)

    row = listed("noop")

    assert all(word in row for word in words)
    assert not any(word in row for word in absent)


def test_a_window_that_has_not_opened_or_has_closed_is_shown(listed, make_job):
    now = timezone.now()
    make_job("noop", starts_at=now + timedelta(days=400))
    make_job("fails", ends_at=now - timedelta(days=2))
    make_job("skips", starts_at=now - timedelta(days=2), ends_at=now + timedelta(days=2))

    assert "Not begun on 20" in listed("noop")
    assert "Ended" in listed("fails")
    assert "Enabled" in listed("skips")


def test_a_pause_shows_its_end_until_that_has_passed(listed, make_job):
    now = timezone.now()
    make_job("noop", paused=True, paused_until=now + timedelta(days=2))
    make_job("fails", paused=True, paused_until=now - timedelta(days=2))

    assert "Paused until 20" in listed("noop")
    assert "Enabled" in listed("fails")


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        pytest.param({"definition": "gone"}, "'gone'", id="definition"),
        pytest.param({"schedule": "61 * * * *"}, "61", id="schedule"),
        pytest.param({"time_zone": "Mars/Base"}, "Mars/Base", id="zone"),
        pytest.param({"params": [1]}, "JSON object", id="parameters"),
    ],
)
def test_a_broken_job_shows_why_and_breaks_nothing_else(listed, make_job, columns, reason):
    job = make_job("noop")
    Job.objects.filter(pk=job.pk).update(**columns)

    row = listed("noop")

    assert "Broken" in row
    assert reason in row
    assert "Enabled" in listed("fails")


def test_what_a_node_found_out_is_shown_until_the_job_is_edited(listed, make_job):
    job = make_job("noop")
    sync(read_clock("default"))
    Job.objects.filter(pk=job.pk).update(broken_reason="The database refused it.")
    assert "The database refused it." in listed("noop")

    Job.objects.filter(pk=job.pk).update(schedule="@daily")

    assert "Broken" not in listed("noop")


@pytest.mark.parametrize(
    ("params", "found"),
    [
        pytest.param({"enabled__exact": "0"}, {"disabled"}, id="disabled"),
        pytest.param({"paused__exact": "1"}, {"paused"}, id="paused"),
        pytest.param({"broken": "yes"}, {"broken", "unregistered"}, id="broken"),
        pytest.param({"broken": "no"}, {"disabled", "paused"}, id="not broken"),
        pytest.param({"q": "broken"}, {"broken"}, id="name"),
        pytest.param({"q": "chat-operations"}, {"paused"}, id="owner"),
    ],
)
def test_the_list_can_be_narrowed(viewer, make_job, params, found):
    Job.objects.all().delete()
    make_job("noop", name="disabled", enabled=False)
    make_job("noop", name="paused", paused=True, owner="chat-operations")
    make_job("noop", name="broken")
    make_job("gone", name="unregistered")
    sync(read_clock("default"))
    Job.objects.filter(name="broken").update(broken_reason="It is.")

    source = get(viewer, JOBS, **params)

    assert {job.name for job in Job.objects.all() if change_url(job) in source} == found


def test_an_address_that_makes_no_sense_is_answered(viewer):
    assert viewer.get(JOBS, {"broken": "perhaps"}, follow=True).status_code == 200


@pytest.mark.parametrize("lookup", ["params__token__startswith", "executions__params__contains", "schedule"])
def test_columns_cannot_be_asked_for_what_is_masked_in_them(viewer, lookup):
    assert viewer.get(JOBS, {lookup: "s"}).status_code == 400


def test_text_of_users_is_escaped(viewer, make_job):
    job = make_job("noop", name="evil")
    evil = "<b>evil</b>"
    Job.objects.filter(pk=job.pk).update(name=evil, definition=evil, schedule=evil, description=evil)

    for url in (JOBS, change_url(job)):
        source = get(viewer, url)
        assert evil not in source
        assert "&lt;b&gt;evil&lt;/b&gt;" in source


def test_looking_changes_nothing(viewer, make_job):
    make_job("noop", schedule="* * * * *")
    before = list(Job.objects.order_by("pk").values())

    get(viewer, JOBS)

    assert list(Job.objects.order_by("pk").values()) == before


@pytest.mark.parametrize("url", [JOBS, JOBS + "add/", EXECUTIONS, NODES, pytest.param("", id="a-job")])
def test_settings_that_cannot_be_understood_are_a_sentence(superuser, make_job, settings, url):
    job = make_job("noop", schedule=None)
    settings.CRONJOBS = {"PAUSE": True}

    response = superuser.get(url or change_url(job))

    assert response.status_code == 500
    assert "CRONJOBS has no key 'PAUSE'. Did you mean 'PAUSED'?" in text_of(response.content.decode())


def test_settings_are_not_told_to_those_who_may_see_nothing(client, django_user_model, settings):
    client.force_login(django_user_model.objects.create_user("staff", is_staff=True))
    settings.CRONJOBS = {"PAUSE": True}

    assert client.get(JOBS).status_code == 403


def test_that_a_name_cannot_be_changed_later_is_said_where_it_is_chosen(superuser, viewer, make_job):
    job, said = make_job("noop"), "It cannot be changed later."

    assert said in get(superuser, JOBS + "add/")
    assert said not in get(superuser, change_url(job))
    assert said not in get(viewer, change_url(job))
