"""Callers that are refused again and again: told of once, however many processes see them."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection
from django.test import Client

from cronjobs.events import refused_repeatedly
from cronjobs.models import AuditEntry, Suspect
from tests.integration.api.callers import Caller

pytestmark = pytest.mark.django_db

AT = datetime(2026, 1, 15, 12, 0, 5, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@contextmanager
def listening():
    """Yield the list of what observers are told, argument by argument."""
    heard = []

    def listener(*, sender, signal, **arguments):
        heard.append(arguments)

    refused_repeatedly.connect(listener)
    try:
        yield heard
    finally:
        refused_repeatedly.disconnect(listener)


@pytest.fixture
def heard():
    """What observers are told of in a test, in which the time stands still."""
    with listening() as heard, time_machine.travel(AT, tick=False):
        yield heard


def knock(times=1, *, at=None, address="203.0.113.9", caller=None):
    """Ask for what is refused, at that time if one is given."""
    with time_machine.travel(at, tick=False) if at else nullcontext():
        for _ in range(times):
            client = Client() if caller is None else caller._client
            headers = {} if caller is None else caller._headers
            assert client.get("/cron/status", headers=headers, REMOTE_ADDR=address).status_code in {401, 403, 429}


def test_nine_refusals_are_nothing_and_the_tenth_is_told(heard, caplog):
    knock(9)
    assert heard == []

    with caplog.at_level(logging.WARNING, logger="cronjobs.security"):
        knock(1, at=AT + MINUTE)

    assert heard == [{"address": "203.0.113.9", "who": "", "count": 10, "since": AT}]
    (record,) = [each for each in caplog.records if getattr(each, "event", "") == "request.refused_repeatedly"]
    assert (record.levelname, record.address, record.actor) == ("WARNING", "203.0.113.9", "")
    assert record.details == {"count": 10, "since": "2026-01-15T12:00:05.000Z"}


def test_it_is_told_once_within_a_window_and_again_after_it(heard):
    knock(30)
    knock(30, at=AT + 4 * MINUTE)
    assert len(heard) == 1

    knock(10, at=AT + 10 * MINUTE)

    assert [each["count"] for each in heard] == [10, 10]


def test_what_is_older_than_the_window_does_not_count(heard):
    knock(9)
    knock(9, at=AT + 6 * MINUTE)

    assert heard == []


def test_addresses_are_told_apart(heard):
    for number in range(3):
        knock(9, address=f"203.0.113.{number}")
    knock(1, address="203.0.113.2")

    assert [each["address"] for each in heard] == ["203.0.113.2"]


def test_every_kind_of_refusal_counts(heard, django_user_model):
    eve = Caller(django_user_model.objects.create_user("eve"))
    knock(4)
    knock(3, caller=eve)
    for path in ("live/", "jobs", "execute/noop"):
        Client(headers={"Authorization": "Bearer cron_abc_def"}, REMOTE_ADDR="203.0.113.9").post(f"/cron/{path}")

    # A probe refuses nobody; what it does not do is no secret.
    assert heard == []
    knock(1, caller=eve)
    assert [(each["who"], each["count"]) for each in heard] == [("eve", 10)]


def test_a_user_who_comes_from_many_addresses_is_told_of(heard, django_user_model):
    eve = Caller(django_user_model.objects.create_user("eve"))
    for number in range(11):
        knock(1, caller=eve, address=f"203.0.113.{number}")

    assert heard == [{"address": "203.0.113.9", "who": "eve", "count": 10, "since": AT}]


def test_whoever_is_let_in_is_not_suspected_for_what_he_asks(heard, django_user_model):
    sue = Caller(django_user_model.objects.create_superuser("sue"))
    for _ in range(20):
        assert sue.post("/cron/execute/nobody").status_code == 404

    assert heard == []


def test_refusals_that_are_throttled_count_as_well(heard, settings):
    settings.CRONJOBS = {**settings.CRONJOBS, "THROTTLES": {"refused": "3/d"}}

    knock(10)

    assert [each["count"] for each in heard] == [10]
    assert set(AuditEntry.objects.values_list("code", "count")) == {("not_authenticated", 3), ("refused_too_often", 7)}


def test_the_settings_say_how_often_and_within_which_time(heard, settings):
    settings.CRONJOBS = {**settings.CRONJOBS, "SUSPICIOUS_REFUSALS": 2, "SUSPICIOUS_WINDOW": timedelta(hours=1)}

    knock(1)
    knock(1, at=AT + 59 * MINUTE)

    assert [each["count"] for each in heard] == [2]


def test_an_observer_that_fails_changes_no_answer(heard, caplog):
    def failing(**_: object) -> None:
        raise RuntimeError("boom")

    refused_repeatedly.connect(failing)
    try:
        knock(10)
    finally:
        refused_repeatedly.disconnect(failing)

    assert len(heard) == 1
    assert "boom" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_of_rivals_that_reach_the_limit_together_one_tells(heard):
    barrier = threading.Barrier(4)

    def refused(_):
        try:
            barrier.wait(90)
            for _ in range(10):
                knock(1)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(refused, range(4)))

    assert len(heard) == 1
    assert AuditEntry.objects.get().count == 40


@pytest.mark.django_db(transaction=True)
def test_of_rivals_that_claim_the_same_subject_one_gets_it():
    barrier = threading.Barrier(4)

    def claim(now):
        try:
            barrier.wait(90)
            return Suspect.objects.claim("somebody", now=now, window=5 * MINUTE)
        finally:
            connection.close()

    for now in (AT, AT + 5 * MINUTE):
        with ThreadPoolExecutor(4) as pool:
            assert sorted(pool.map(claim, [now] * 4)) == [False, False, False, True]
    assert Suspect.objects.get().told_at == AT + 5 * MINUTE
