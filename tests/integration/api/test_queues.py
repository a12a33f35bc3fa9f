"""Queues over HTTP, and pausing everything."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cronjobs.models import Job, JobExecution, Queue
from cronjobs.models.queue import EVERYTHING
from tests.integration.api.callers import Caller, assert_error, document, grant

pytestmark = pytest.mark.django_db


@pytest.fixture
def keeper(django_user_model: Any) -> Caller:
    """Somebody who may look at queues and change them."""
    user = django_user_model.objects.create_user("kim")
    grant(user, "view_queue", "change_queue", "view_job")
    return Caller(user)


@pytest.fixture(autouse=True)
def heavy(make_job):
    """A job in a queue of its own, about which nothing has been decided."""
    return make_job("noop", name="heavy-job", queue="heavy/x y")


HEAVY = "/cron/queues/heavy/x%20y"


def rows():
    return list(Queue.objects.order_by("name").values_list("name", "limit", "paused", "description"))


def changes():
    entries = LogEntry.objects.order_by("pk").values_list(
        "user__username", "action_flag", "object_repr", "change_message"
    )
    return [(*each, json.loads(message)[0]["changed"]["fields"]) for *each, message in entries]


def test_queues_are_shown_with_what_is_in_them(keeper):
    JobExecution.objects.request("heavy-job")
    Queue.objects.filter(name="default").update(limit=2, paused=True)
    before = rows()

    found = document(keeper.get("/cron/queues"))

    assert (found["success"], found["paused"], found["pausedBecause"]) == (True, False, None)
    queues = {each.pop("name"): each for each in found["queues"]}
    assert EVERYTHING not in queues
    empty = {"limit": None, "paused": False, "waiting": 0, "dispatched": 0, "running": 0, "description": ""}
    assert queues["heavy/x y"] == {**empty, "waiting": 1}
    assert queues["default"] == {**empty, "limit": 2, "paused": True}
    assert list(queues) == sorted(queues)
    assert rows() == before


def test_looking_asks_as_often_for_1_10_and_100_queues(keeper, make_job):
    counts = []
    for count in (1, 10, 100):
        for number in range(count):
            make_job("noop", name=f"job-{number}", queue=f"queue-{number}")
            Queue.objects.named(f"queue-{number}").update(limit=1)
        with CaptureQueriesContext(connection) as captured:
            assert len(document(keeper.get("/cron/queues/"))["queues"]) > count
        assert all(each["sql"].startswith("SELECT") for each in captured)
        counts.append(len(captured))

    assert counts[0] == counts[1] == counts[2]


def test_a_queue_is_paused_resumed_and_limited(keeper):
    JobExecution.objects.request("heavy-job")

    assert document(keeper.post(f"{HEAVY}/pause"))["paused"] is True
    assert document(keeper.post(f"{HEAVY}/pause/"))["waiting"] == 1
    assert document(keeper.patch(HEAVY, {"limit": 2}))["limit"] == 2
    assert document(keeper.patch(f"{HEAVY}/", {}))["limit"] == 2
    assert document(keeper.patch(HEAVY, {"limit": 2.0}))["limit"] == 2
    assert document(keeper.post(f"{HEAVY}/resume"))["paused"] is False
    assert document(keeper.patch(HEAVY, {"limit": None, "description": "Slow."}))["limit"] is None

    assert ("heavy/x y", None, False, "Slow.") in rows()
    assert changes() == [
        ("kim", CHANGE, "heavy/x y", ["paused"]),
        ("kim", CHANGE, "heavy/x y", ["most at once"]),
        ("kim", CHANGE, "heavy/x y", ["paused"]),
        ("kim", CHANGE, "heavy/x y", ["most at once", "description"]),
    ]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("limit", 0), ("limit", -1), ("limit", 1.5), ("limit", "2"), ("limit", True), ("limit", 10**400), ("limit", 2**31),
        ("description", None), ("description", "\x00"), ("name", "other"), ("paused", True),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_and_changes_nothing(keeper, key, value):
    Queue.objects.named("heavy/x y")
    before = rows()

    assert list(assert_error(keeper.patch(HEAVY, {key: value}), 400, "invalid")["errors"]) == [key]

    assert (rows(), changes()) == (before, [])


@pytest.mark.parametrize("name", ["nobody", "*", "%00", "a,b", "q" * 51, "%20heavy", "a%0Ab"])
def test_a_queue_that_nobody_uses_is_not_found(keeper, name):
    before = rows()

    for answer in (
        keeper.patch(f"/cron/queues/{name}", {"limit": 1}),
        keeper.post(f"/cron/queues/{name}/pause"),
        keeper.post(f"/cron/queues/{name}/resume"),
    ):
        assert_error(answer, 404, "queue_not_found")

    assert rows() == before


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"paused": true}', b"null"])
def test_what_takes_no_body_says_so_and_does_nothing(keeper, body):
    before = rows()

    for path in (f"{HEAVY}/pause", f"{HEAVY}/resume", "/cron/pause", "/cron/resume"):
        assert_error(keeper.post(path, body), 400, "invalid_body")

    assert (rows(), changes()) == (before, [])


def test_everything_is_paused_and_resumed(keeper):
    found = document(keeper.post("/cron/pause"))
    assert found["paused"] is True
    assert "until somebody resumes it" in found["pausedBecause"]
    document(keeper.post("/cron/pause/"))
    assert document(keeper.get("/cron/queues"))["paused"] is True
    assert document(keeper.get("/cron/jobs/heavy-job"))["isPaused"] is True
    assert not Job.objects.filter(paused=True).exists()

    found = document(keeper.post("/cron/resume"))
    assert (found["paused"], found["pausedBecause"]) == (False, None)
    assert [each[2] for each in changes()] == [EVERYTHING, EVERYTHING]


def test_what_the_settings_pause_stays_so(keeper, settings):
    settings.CRONJOBS = {**settings.CRONJOBS, "PAUSED": True}

    found = document(keeper.post("/cron/resume"))

    assert found["paused"] is True
    assert "settings" in found["pausedBecause"]
