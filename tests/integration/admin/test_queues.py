"""Queues in the admin: what is in them, and pausing, resuming and limiting them."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry

from cronjobs.admin import rendering
from cronjobs.models import JobExecution, Queue
from cronjobs.models.queue import EVERYTHING
from tests.integration.admin.pages import QUEUES, act, change_url, get, text_of

pytestmark = pytest.mark.django_db


def decide(name, **columns):
    return Queue.objects.update_or_create(name=name, defaults=columns)[0]


@pytest.fixture
def queues(db):
    """One open queue, one paused and limited, and the row of everything."""
    return [
        decide("default"),
        decide("heavy", paused=True, limit=7),
        decide(EVERYTHING),
    ]


def test_the_list_shows_what_is_decided_and_what_is_in_each(operator, queues, make_execution):
    make_execution(status="queued", queue="heavy")
    make_execution(status="queued", queue="heavy")
    make_execution(status="running", queue="heavy")

    shown = text_of(get(operator, QUEUES))

    assert "heavy Paused Most at once 7 Waiting 2 Running 1" in shown
    assert f"default Open {rendering.NOTHING} Waiting 0 Running 0" in shown
    assert "Everything Open" in shown


def test_pausing_and_resuming_say_what_they_did_and_leave_a_trace(operator, queues):
    assert act(operator, "pause", *queues[:2], url=QUEUES) == [
        "success: 1 queue was paused.",
        "info: 1 was paused already.",
    ]
    assert Queue.objects.filter(paused=True).count() == 2
    assert act(operator, "resume", *queues, url=QUEUES) == [
        "success: 2 queues were resumed.",
        "info: 1 was not paused.",
    ]

    assert not Queue.objects.filter(paused=True).exists()
    assert sorted(LogEntry.objects.values_list("object_repr", flat=True)) == ["default", "default", "heavy"]
    assert {entry.get_change_message() for entry in LogEntry.objects.all()} == {"Changed paused."}


@pytest.mark.parametrize(
    ("chosen", "title"),
    [
        ({EVERYTHING}, "Pause everything"),
        ({EVERYTHING, "heavy"}, "Pause everything"),
        ({EVERYTHING, "default"}, "Pause 2 queues"),
        ({"default", "light"}, "Pause 2 queues"),
    ],
    ids=["everything", "everything and one that is paused", "everything and another", "several"],
)
def test_pausing_everything_or_several_queues_asks_first(operator, queues, chosen, title):
    decide("light")
    rows = Queue.objects.filter(name__in=chosen)
    before = list(Queue.objects.order_by("pk").values())
    data = {"action": "pause", "index": 0, "_selected_action": [each.pk for each in rows]}

    page = operator.post(QUEUES, data).content.decode()

    assert list(Queue.objects.order_by("pk").values()) == before
    assert f'<input type="submit" class="default" value="{title}">' in page
    assert f'href="{QUEUES}">No, take me back' in page
    assert ("nothing is started on the whole site" in page) == (EVERYTHING in chosen)
    operator.post(QUEUES, {**data, "post": "yes"})
    assert not rows.filter(paused=False).exists()


@pytest.mark.parametrize("chosen", [{"default"}, {"default", "heavy"}])
def test_one_open_queue_is_paused_at_once(operator, queues, chosen):
    rows = Queue.objects.filter(name__in=chosen)

    operator.post(QUEUES, {"action": "pause", "index": 0, "_selected_action": [each.pk for each in rows]})

    assert not rows.filter(paused=False).exists()


def test_a_limit_is_set_in_the_form_and_the_name_stays(operator, queues):
    heavy = queues[1]

    operator.post(change_url(heavy), {"name": "other", "limit": "3", "description": "Slow reports."})

    heavy.refresh_from_db()
    assert (heavy.name, heavy.limit, heavy.paused, heavy.description) == ("heavy", 3, False, "Slow reports.")


@pytest.mark.parametrize("limit", ["0", "-1", "many"])
def test_what_is_no_limit_is_refused(operator, queues, limit):
    response = operator.post(change_url(queues[0]), {"limit": limit})

    assert "limit" in response.context["adminform"].form.errors


def test_the_form_of_everything_neither_limits_nor_pauses_it(operator, queues):
    page = change_url(queues[2])

    operator.post(page, {"limit": "3", "paused": "on", "description": "Ask Ann."})

    assert Queue.objects.filter(name=EVERYTHING, limit=None, paused=False, description="Ask Ann.").exists()
    source = operator.get(page).content.decode()
    assert "Everything is paused and resumed in the list of queues." in text_of(source)
    assert 'name="paused"' not in source


def test_queues_in_use_without_a_row_can_be_found(superuser, make_job):
    make_job("noop", queue="a<b>&c")
    Queue.objects.filter(name="default").delete()

    source = get(superuser, QUEUES)

    assert "Used by jobs, and neither limited nor paused: a<b>&c , default" in text_of(source)
    assert "?name=a%3Cb%3E%26c" in source
    assert "<b>" not in source
    assert 'value="default"' in get(superuser, f"{QUEUES}add/", name="default")


@pytest.mark.parametrize(
    ("paused", "said"),
    [
        ("heavy", ["success: Execution #{pk} of noop was queued.", "info: It waits until its queue is resumed: noop."]),
        (EVERYTHING, ["warning: Execution #{pk} of noop was queued, but everything is paused."]),
    ],
    ids=["queue", "everything"],
)
def test_a_run_by_hand_says_what_holds_it_back(operator, make_job, make_node, paused, said):
    make_node()
    job = make_job("noop", queue="heavy")
    decide(paused, paused=True)

    found = act(operator, "run_now", job)

    assert found == [each.format(pk=JobExecution.objects.get().pk) for each in said]
