"""Switching jobs off and on, and what is said about it."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone

from cronjobs.database import read_clock
from cronjobs.models import Job, Queue
from cronjobs.scheduler.plans import sync
from tests.integration.admin.pages import JOBS, act, change_url, get, messages_of, switch_url, text_of


@pytest.fixture
def three(make_job):
    """Three jobs of which the first is paused and disabled."""
    return [
        make_job("noop", paused=True, enabled=False),
        make_job("fails", paused=True, paused_until=timezone.now() + timedelta(days=1)),
        make_job("skips"),
    ]


@pytest.mark.parametrize(
    ("action", "columns", "said"),
    [
        (
            "pause",
            {"paused": True, "paused_until": None},
            ["success: 2 jobs were paused.", "info: 1 was paused already."],
        ),
        (
            "resume",
            {"paused": False, "paused_until": None},
            [
                "success: 2 jobs were resumed.",
                "info: 1 was not paused.",
                "warning: Still disabled, and so not due: noop.",
            ],
        ),
        (
            "enable",
            {"enabled": True},
            [
                "success: 1 job was enabled.",
                "info: 2 were enabled already.",
                "warning: Still paused, and so not due: noop.",
            ],
        ),
        ("disable", {"enabled": False}, ["success: 2 jobs were disabled.", "info: 1 was disabled already."]),
    ],
)
def test_an_action_does_what_it_says_and_says_what_it_did(operator, three, action, columns, said):
    assert act(operator, action, *three) == said

    for job in Job.objects.filter(pk__in=[job.pk for job in three]):
        assert {column: getattr(job, column) for column in columns} == columns


def test_an_action_that_changes_nothing_says_so(operator, three):
    assert act(operator, "enable", three[2]) == ["warning: 0 jobs were enabled.", "info: 1 was enabled already."]


def test_jobs_that_are_not_selected_stay_as_they_are(operator, three):
    act(operator, "disable", three[2])

    assert list(Job.objects.filter(enabled=False).order_by("name").values_list("name", flat=True)) == ["noop", "skips"]


def test_nodes_notice_and_the_change_has_a_time(operator, make_job):
    job = make_job("noop")
    sync(read_clock("default"))

    act(operator, "pause", job)

    changed = Job.objects.get(pk=job.pk)
    assert changed.stale == 1
    assert changed.updated_at > job.updated_at


def test_who_changed_what_can_be_read_later(operator, three):
    act(operator, "disable", *three)

    entries = LogEntry.objects.all()
    assert {entry.object_repr for entry in entries} == {"fails", "skips"}
    assert {(entry.user.get_username(), entry.get_change_message()) for entry in entries} == {
        ("operator", "Changed enabled.")
    }


def test_an_action_within_a_filtered_list_counts_what_was_selected(operator, three):
    response = operator.post(
        "/admin/cronjobs/job/?paused__exact=1",
        {"action": "resume", "index": 0, "_selected_action": [three[0].pk, three[1].pk]},
        follow=True,
    )

    assert [str(message) for message in response.context["messages"]] == [
        "2 jobs were resumed.",
        "Still disabled, and so not due: noop.",
    ]


@pytest.mark.parametrize("action", ["pause", "disable"])
def test_to_stop_several_is_asked_about_first(operator, make_job, action):
    one, two = make_job("noop"), make_job("fails", paused=True, paused_until=timezone.now() + timedelta(days=1))
    already = make_job("skips", paused=True, enabled=False)
    before = list(Job.objects.order_by("pk").values())
    chosen = {"action": action, "index": 0, "_selected_action": [job.pk for job in (one, two, already)]}

    page = operator.post(JOBS, chosen)

    assert list(Job.objects.order_by("pk").values()) == before
    text = text_of(page.content.decode())
    assert f"{action.title()} 2 jobs" in text
    assert "1 was" in text
    assert ("is paused until a given time, which is forgotten" in text) == (action == "pause")
    fields = dict(
        re.findall(
            r'<input type="hidden" name="(action|index|select_across|post)" value="(.*?)">', page.content.decode()
        )
    )
    said = messages_of(operator.post(JOBS, {**fields, "_selected_action": chosen["_selected_action"]}, follow=True))
    assert said[0] == f"success: 2 jobs were {action}d."


@pytest.mark.parametrize("action", ["pause", "disable"])
def test_to_stop_one_is_not_asked_about(operator, make_job, action):
    one, already = make_job("noop"), make_job("skips", paused=True, enabled=False)
    chosen = {"action": action, "index": 0, "_selected_action": [one.pk, already.pk]}

    assert messages_of(operator.post(JOBS, chosen, follow=True))[0] == f"success: 1 job was {action}d."


def test_to_stop_all_of_a_filtered_list_stops_no_other(operator, make_job):
    make_job("noop", owner="ann"), make_job("fails", owner="ann"), make_job("skips", owner="bob")
    first = Job.objects.get(name="noop")
    chosen = {"action": "disable", "index": 0, "select_across": "1", "_selected_action": [first.pk], "post": "yes"}

    operator.post(f"{JOBS}?owner=ann", chosen)

    assert set(Job.objects.filter(enabled=False).values_list("name", flat=True)) == {"noop", "fails"}


@pytest.mark.parametrize(
    ("name", "columns", "said"),
    [
        ("pause", {}, "success: noop was paused: it is not due until somebody resumes it. What runs or waits goes on."),
        ("pause", {"paused": True}, "info: noop was paused already."),
        ("resume", {"paused": True}, "success: noop was resumed. What was due meanwhile is not made up for."),
        ("resume", {}, "info: noop was not paused."),
        ("enable", {"enabled": False}, "success: noop was enabled. What was due meanwhile is not made up for."),
        ("enable", {}, "info: noop was enabled already."),
        ("disable", {}, "success: noop was disabled: it is not due until it is enabled. What runs or waits goes on."),
        ("disable", {"enabled": False}, "info: noop was disabled already."),
    ],
)
def test_a_button_switches_one_job_and_leads_back_to_its_page(operator, make_job, make_node, *, name, columns, said):
    make_node()
    job = make_job("noop", **columns)

    response = operator.post(switch_url(job, name), follow=True)

    assert messages_of(response) == [said]
    assert response.redirect_chain == [(change_url(job), 302)]
    job.refresh_from_db()
    assert (job.enabled, job.paused) == (name != "disable", name == "pause")


def test_a_switch_in_the_list_leads_back_to_where_it_was(operator, make_job):
    job = make_job("noop")

    response = operator.post(switch_url(job, "disable"), {"list_query": "enabled__exact=1&q=no"})

    assert response.url == f"{JOBS}?enabled__exact=1&q=no#cron-switch-{job.pk}"


def test_a_switch_leads_to_no_other_site(operator, make_job):
    job = make_job("noop")

    response = operator.post(switch_url(job, "disable"), {"list_query": "//evil.example/\r\nX: y"})

    assert response.url.startswith(f"{JOBS}?")
    assert "//" not in response.url


@pytest.mark.parametrize("name", ["pause", "resume", "enable", "disable"])
def test_a_link_switches_nothing(operator, make_job, name):
    job = make_job("noop")

    assert operator.get(switch_url(job, name)).status_code == 405


def test_who_switches_on_what_does_not_run_is_told_why(operator, make_job):
    job = make_job("noop", paused=True, enabled=False)
    Queue.objects.update_or_create(name="*", defaults={"paused": True})

    assert messages_of(operator.post(switch_url(job, "enable"), follow=True))[1:] == [
        "warning: Still paused, and so not due: noop.",
        "warning: Nothing is due for now: everything is paused.",
        "warning: No node is alive: nothing runs until “manage.py runcron” is started.",
    ]


@pytest.mark.parametrize("name", ["pause", "disable"])
def test_a_job_whose_row_cannot_be_read_can_still_be_stopped(operator, make_job, name):
    job = make_job("noop")
    Job.objects.filter(pk=job.pk).update(schedule="61 * * * *", definition="gone")

    operator.post(switch_url(job, name))

    job.refresh_from_db()
    assert (job.enabled, job.paused) == (name != "disable", name == "pause")


def test_the_page_offers_what_would_change_the_job(operator, make_job):
    one, two = make_job("noop"), make_job("fails", paused=True, enabled=False)

    assert offered(operator, one) == {"pause", "disable"}
    assert offered(operator, two) == {"resume", "enable"}


def offered(client, job):
    """Return the switches for which the page of a job has a button."""
    source = get(client, change_url(job))
    return {name for name in ("pause", "resume", "enable", "disable") if switch_url(job, name) in source}
