"""How many requests are answered, of whom, and what those are told that are too many."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework.exceptions import Throttled

from cronjobs.api.errors import handle_error
from cronjobs.checks import check_cache
from cronjobs.conf import DEFAULT_THROTTLES
from cronjobs.models import ApiKey, AuditEntry
from cronjobs.permissions import KEY_ACTIONS
from tests.integration.api.callers import Caller, assert_error, grant

pytestmark = pytest.mark.django_db

# Five seconds and a quarter into a minute of the clock.
AT = datetime(2026, 1, 15, 12, 0, 5, 250_000, tzinfo=UTC)


@pytest.fixture
def clock():
    """The time, which stands still until a test moves it."""
    with time_machine.travel(AT, tick=False) as clock:
        yield clock


@pytest.fixture
def throttle(settings):
    """Set rates for one test; all others are off."""

    def change(**rates):
        off = dict.fromkeys(DEFAULT_THROTTLES)
        settings.CRONJOBS = {**settings.CRONJOBS, "THROTTLES": {**off, **rates}}

    return change


@pytest.fixture
def user(django_user_model):
    """Somebody who may do everything that a key can be limited to."""
    user = django_user_model.objects.create_user("olive")
    grant(user, *KEY_ACTIONS)
    return user


@pytest.fixture
def caller(user):
    """That user, with a token."""
    return Caller(user)


def test_one_too_many_is_told_when_to_come_back(caller, throttle, clock):
    throttle(read="3/min")
    for _ in range(3):
        assert caller.get("/cron/queues").status_code == 200

    answer = caller.get("/cron/queues")

    assert_error(answer, 429, "throttled")
    # 54.75 seconds are left of the minute.
    assert answer["Retry-After"] == "55"
    clock.move_to(AT + timedelta(seconds=55))
    assert caller.get("/cron/queues").status_code == 200


@pytest.mark.parametrize("scope", ["read", "write", "execute"])
def test_each_scope_counts_its_own_requests(caller, throttle, clock, scope):
    throttle(**{scope: "1/min"})
    pairs = {
        "read": (("get", "queues"), ("get", "jobs")),
        "write": (("post", "jobs/noop/pause"), ("delete", "jobs/nobody")),
        "execute": (("post", "execute/nobody"), ("post", "executions/1/retry")),
    }

    statuses = {}
    for turn in (0, 1):
        for name, pair in pairs.items():
            method, path = pair[turn]
            statuses[name, turn] = getattr(caller, method)(f"/cron/{path}").status_code

    assert {each for each, status in statuses.items() if status == 429} == {(scope, 1)}


def test_a_key_a_user_and_another_key_of_theirs_are_told_apart(caller, user, throttle, clock):
    throttle(read="1/min")
    texts = [ApiKey.objects.issue(user=user, name="n", actions=["view_queue"])[1] for _ in range(2)]
    others = [Client(headers={"Authorization": f"Bearer {text}"}) for text in texts]

    for client in (caller, *others):
        assert [client.get("/cron/queues").status_code for _ in range(2)] == [200, 429]


def test_a_user_is_one_caller_with_whatever_session_and_from_wherever(caller, user, throttle, clock):
    throttle(read="1/min")
    browser = Client(REMOTE_ADDR="203.0.113.9")
    browser.force_login(user)

    assert [client.get("/cron/queues").status_code for client in (caller, browser)] == [200, 429]


def test_fifty_clients_of_one_user_that_poll_twice_a_second_are_not_held_back():
    limit = DEFAULT_THROTTLES["read"]

    assert limit.starts / limit.period.total_seconds() >= 50 * 2 * 2


def test_probes_and_scopes_that_are_off_are_not_counted(throttle, clock):
    throttle()
    for _ in range(5):
        assert Client().get("/cron/live").status_code == 200
        assert Client().get("/cron/queues").status_code == 401

    throttle(read="1/d", refused="1/d")
    for _ in range(5):
        assert Client().get("/cron/live").status_code == 200
        assert Client().get("/cron/ready").status_code == 200


def test_who_is_refused_too_often_is_told_to_wait_and_nobody_else(caller, throttle, clock):
    throttle(refused="3/min")
    statuses = [Client(headers={"Authorization": f"Bearer {n}"}).get("/cron/status").status_code for n in range(4)]
    assert statuses == [401, 401, 401, 429]

    answer = Client().get("/cron/status")

    assert_error(answer, 429, "refused_too_often")
    assert answer["Retry-After"] == "55"
    assert Client(REMOTE_ADDR="203.0.113.9").get("/cron/status").status_code == 401
    # From the same address, and let in.
    assert caller.get("/cron/queues").status_code == 200
    assert caller.post("/cron/jobs/noop/pause").status_code == 200


def test_a_forbidden_caller_counts_as_refused(django_user_model, throttle, clock):
    throttle(refused="1/min")
    eve = Caller(django_user_model.objects.create_user("eve"))

    assert [eve.get("/cron/status").status_code for _ in range(3)] == [403, 429, 429]
    assert Client().get("/cron/status").status_code == 429


def test_a_network_of_one_customer_is_one_address(throttle, clock):
    throttle(refused="1/min")
    addresses = ["2a00:1450:4001:82b::1", "2a00:1450:4001:82b:ffff::2", "2a00:1450:4001:82c::1"]

    assert [Client(REMOTE_ADDR=each).get("/cron/status").status_code for each in addresses] == [401, 429, 401]


def test_what_is_throttled_is_recorded_in_a_bounded_number_of_statements(caller, throttle, clock):
    throttle(read="1/min")

    with CaptureQueriesContext(connection) as captured:
        for _ in range(1 + 130):
            caller.get("/cron/queues")

    (entry,) = AuditEntry.objects.all()
    # Added one by one up to the 64th, and then at the 128th.
    assert (entry.outcome, entry.who, entry.status, entry.code, entry.count) == (
        "refused",
        "olive",
        429,
        "throttled",
        128,
    )
    assert sum(each["sql"].startswith("UPDATE") for each in captured if "cronjobs_auditentry" in each["sql"]) == 66


def test_a_cache_that_is_away_holds_nobody_back(caller, throttle, no_cache, caplog):
    throttle(read="1/d", refused="1/d")

    with caplog.at_level(logging.WARNING, logger="cronjobs.tallies"):
        assert [caller.get("/cron/queues").status_code for _ in range(3)] == [200, 200, 200]
        assert [Client().get("/cron/queues").status_code for _ in range(3)] == [401, 401, 401]

    assert "The cache does not count" in caplog.text


def test_a_cache_that_keeps_nothing_holds_nobody_back(caller, throttle, settings):
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    throttle(read="1/d")

    assert [caller.get("/cron/queues").status_code for _ in range(3)] == [200, 200, 200]


def test_what_the_site_caches_pushes_no_counts_out_of_a_cache_of_their_own(caller, throttle, settings, clock):
    memory = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    settings.CACHES = {"default": {**memory, "LOCATION": "site"}, "counts": {**memory, "LOCATION": "counts"}}
    throttle(read="1/min")
    settings.CRONJOBS = {**settings.CRONJOBS, "CACHE": "counts"}
    assert caller.get("/cron/status").status_code == 200

    for number in range(1000):
        cache.set(f"page-{number}", "")

    assert caller.get("/cron/status").status_code == 429
    assert check_cache() == []


def test_a_cache_that_is_not_there_is_told_by_a_check_and_holds_nobody_back(caller, throttle, settings, clock, caplog):
    throttle(read="1/min")
    settings.CRONJOBS = {**settings.CRONJOBS, "CACHE": "defautl"}

    assert [caller.get("/cron/status").status_code for _ in range(3)] == [200, 200, 200]
    assert "does not count" in caplog.text
    (warning,) = check_cache()
    assert warning.id == "cronjobs.W009"
    assert warning.hint == "Did you mean 'default'?"


def test_the_projects_own_throttles_do_not_matter(caller, settings):
    settings.REST_FRAMEWORK = {
        "DEFAULT_THROTTLE_CLASSES": ["rest_framework.throttling.UserRateThrottle"],
        "DEFAULT_THROTTLE_RATES": {"user": "1/day"},
    }

    assert [caller.get("/cron/queues").status_code for _ in range(3)] == [200, 200, 200]


@pytest.mark.parametrize(("wait", "header"), [(0.01, "1"), (0, "1"), (None, "1"), (1, "1"), (1.2, "2"), (59.5, "60")])
def test_whoever_waits_as_long_as_told_is_not_too_early(wait, header):
    assert handle_error(Throttled(wait=wait), {})["Retry-After"] == header


def test_settings_that_cannot_be_understood_throttle_by_the_defaults(settings, clock):
    settings.CRONJOBS = {"THROTTLES": {"reed": "1/d"}}

    statuses = [Client().get("/cron/queues").status_code for _ in range(61)]

    assert statuses == [401] * 60 + [429]


def test_a_cache_that_forgets_how_long_it_keeps_still_counts_a_day(caller, throttle, clock, settings, tmp_path):
    backend = "django.core.cache.backends.filebased.FileBasedCache"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": str(tmp_path), "TIMEOUT": 300}}
    throttle(read="2/day")
    assert [caller.get("/cron/queues").status_code for _ in range(2)] == [200, 200]

    clock.shift(timedelta(hours=1))

    assert caller.get("/cron/queues").status_code == 429
