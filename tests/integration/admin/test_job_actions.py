"""Switching jobs off and on, and what is said about it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone

from cronjobs.database import read_clock
from cronjobs.models import Job
from cronjobs.scheduler.plans import sync
from tests.integration.admin.pages import act


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
            ["success: 2 jobs were resumed.", "info: 1 was not paused."],
        ),
        ("enable", {"enabled": True}, ["success: 1 job was enabled.", "info: 2 were enabled already."]),
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

    assert [str(message) for message in response.context["messages"]] == ["2 jobs were resumed."]
