"""The audit: what is recorded of a request, and how it survives floods, rivals and a database that is away."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
import time_machine
from django import forms
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from cronjobs.models import ApiKey, AuditEntry, Job, JobExecution
from cronjobs.permissions import KEY_ACTIONS
from tests.integration.api.callers import Caller, assert_error, grant

pytestmark = pytest.mark.django_db

AT = datetime(2026, 1, 15, 12, 0, 5, tzinfo=UTC)


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


@pytest.fixture
def key(user):
    """A key of that user, and a client that uses it."""
    key, text = ApiKey.objects.issue(user=user, name="of a program", actions=KEY_ACTIONS)
    return key, Client(headers={"Authorization": f"Bearer {text}"})


def entries(*columns):
    """Return what is recorded, oldest first: the columns, or only one."""
    return list(AuditEntry.objects.order_by("pk").values_list(*columns, flat=len(columns) == 1))


def test_an_accepted_action_says_who_did_what_from_where(caller, make_job):
    make_job("noop")
    before = datetime.now(UTC)

    assert caller.post("/cron/jobs/noop/pause").status_code == 200

    (entry,) = AuditEntry.objects.all()
    assert (entry.outcome, entry.who, entry.credential, entry.address) == ("accepted", "olive", "token", "127.0.0.1")
    assert (entry.method, entry.route, entry.target) == ("POST", "job-pause", "noop")
    assert (entry.status, entry.code, entry.count) == (200, "", 1)
    assert before <= entry.at == entry.last_at <= datetime.now(UTC)


def test_a_session_and_a_key_are_told_from_a_token(user, key, make_job):
    make_job("noop")
    browser = Client()
    browser.force_login(user)

    for client in (browser, key[1]):
        assert client.post("/cron/jobs/noop/resume", content_type="application/json").status_code == 200

    assert entries("who", "credential") == [("olive", "session"), ("olive", f"cron_{key[0].prefix}")]


def test_whose_session_it_was_that_came_without_its_token(user, make_job):
    make_job("noop")
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(user)

    assert browser.post("/cron/jobs/noop/resume", content_type="application/json").status_code == 403

    assert entries("who", "credential", "code") == [("olive", "session", "permission_denied")]


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("post", "jobs", {"name": "made", "definition": "noop"}, ("accepted", "jobs", "made", 201, "")),
        ("patch", "jobs/noop", {"owner": "me"}, ("accepted", "job", "noop", 200, "")),
        ("delete", "jobs/noop-again", None, ("accepted", "job", "noop-again", 204, "")),
        ("post", "execute/noop", {"wait": False}, ("accepted", "execute", "noop", 202, "")),
        ("post", "execute/fails", {}, ("accepted", "execute", "fails", 200, "job_failed")),
        ("post", "queues/default/pause", {}, ("accepted", "queue-pause", "default", 200, "")),
        ("post", "pause", {}, ("accepted", "pause", "", 200, "")),
        ("post", "executions/{pk}/cancel", {}, ("accepted", "cancel", "{pk}", 200, "job_cancelled")),
        ("post", "jobs", {"name": "noop", "definition": "noop"}, ("refused", "jobs", "noop", 409, "job_exists")),
        ("patch", "jobs/noop", {"schedule": 5}, ("refused", "job", "noop", 400, "invalid")),
        ("post", "execute/nobody", {}, ("refused", "execute", "nobody", 404, "job_not_found")),
        ("delete", "jobs/noop", None, ("refused", "job", "noop", 409, "has_definition")),
        ("post", "status", {}, ("refused", "status", "", 405, "method_not_allowed")),
    ],
)
def test_every_write_is_recorded_with_how_it_ended(caller, make_job, *, method, path, body, expected):
    for name in ("noop", "noop-again", "fails"):
        make_job("fails" if name == "fails" else "noop", name=name, max_attempts=1)
    pk = JobExecution.objects.request("noop").pk

    arguments = () if body is None else (body,)
    getattr(caller, method)(f"/cron/{path.format(pk=pk)}", *arguments)

    (entry,) = AuditEntry.objects.all()
    found = (entry.outcome, entry.route, entry.target, entry.status, entry.code)
    assert found == tuple(each.format(pk=pk) if isinstance(each, str) else each for each in expected)
    assert entry.method == method.upper()


def test_reading_is_not_recorded_and_asks_nothing_more(caller, make_job):
    make_job("noop")
    caller.get("/cron/jobs/noop")

    with CaptureQueriesContext(connection) as captured:
        assert caller.get("/cron/jobs/noop").status_code == 200
        assert caller.get("/cron/jobs/nobody").status_code == 404
        assert caller.get("/cron/jobs?limit=0").status_code == 400

    assert not AuditEntry.objects.exists()
    assert "audit" not in " ".join(query["sql"] for query in captured)


def test_an_accepted_action_costs_one_more_statement(caller, make_job):
    make_job("noop")

    with CaptureQueriesContext(connection) as captured:
        assert caller.post("/cron/jobs/noop/pause").status_code == 200

    assert sum("cronjobs_auditentry" in query["sql"] for query in captured) == 1


@pytest.mark.parametrize("path", ["status", "jobs/noop", "executions/7/logs"])
def test_who_looks_without_leave_is_recorded(django_user_model, path):
    assert Client().get(f"/cron/{path}").status_code == 401
    assert Caller(django_user_model.objects.create_user("eve")).get(f"/cron/{path}").status_code == 403

    assert entries("outcome", "who", "credential", "method", "status", "code") == [
        ("refused", "", "", "GET", 401, "not_authenticated"),
        ("refused", "eve", "token", "GET", 403, "permission_denied"),
    ]


def test_a_key_that_is_not_good_any_more_is_known_and_one_that_never_was_is_not(key):
    known, client = key
    known.revoked_at = AT
    known.save()

    assert_error(client.get("/cron/status"), 401, "authentication_failed")
    assert_error(
        Client(headers={"Authorization": "Bearer cron_abcdef0123_secret"}).get("/cron/status"),
        401,
        "authentication_failed",
    )

    assert entries("who", "credential") == [("olive", f"cron_{known.prefix}"), ("", "")]


def test_what_is_secret_is_not_recorded(caller, caplog):
    caplog.set_level(logging.INFO, logger="cronjobs")
    secret = "hunter2hunter2"
    caller._headers["X-Api-Key"] = secret

    caller.post(f"/cron/execute/password={secret}?token={secret}", {"params": {"password": secret}})
    Client().post(f"/cron/execute/noop?token={secret}", headers={"Authorization": f"Bearer cron_abc_{secret}"})

    rows = [str(row) for row in AuditEntry.objects.values()]
    assert len(rows) == 2
    assert secret not in "".join(rows)
    audited = [record for record in caplog.records if record.name == "cronjobs.audit"]
    assert len(audited) == 2
    assert secret not in str([vars(record) for record in audited])


@pytest.mark.parametrize(
    "target", ["x" * 5_000, "%00", "%ED%A0%80", "%0Aforged line", "%F0%9F%92%A9" * 99, "%C3%A4" * 99]
)
def test_whatever_is_asked_for_is_answered_and_recorded(caller, caplog, target):
    answer = caller.post(f"/cron/execute/{target}")

    assert_error(answer, 404, "job_not_found")
    (entry,) = AuditEntry.objects.all()
    assert 0 < len(entry.target) <= 100
    (record,) = [record for record in caplog.records if record.name == "cronjobs.audit"]
    assert "\n" not in record.getMessage()


@pytest.mark.parametrize(
    ("proxies", "sent", "recorded"),
    [
        pytest.param(None, "198.51.100.7", "203.0.113.9", id="a header that anybody can send"),
        pytest.param(0, "198.51.100.7", "203.0.113.9", id="no proxy"),
        pytest.param(1, "192.0.2.1, 198.51.100.7", "198.51.100.7", id="one proxy"),
        pytest.param(2, "192.0.2.1, 198.51.100.7", "192.0.2.1", id="two proxies"),
        pytest.param(1, "nonsense " * 20, "nonsense", id="nonsense"),
        pytest.param(1, "::ffff:198.51.100.7", "198.51.100.7", id="IPv4 in IPv6"),
    ],
)
def test_the_address_is_what_num_proxies_says(settings, proxies, sent, recorded):
    settings.REST_FRAMEWORK = {"NUM_PROXIES": proxies}

    Client(headers={"X-Forwarded-For": sent}, REMOTE_ADDR="203.0.113.9").post("/cron/pause")

    (address,) = entries("address")
    assert address.startswith(recorded)
    assert len(address) <= 64


def test_refusals_of_a_kind_within_a_minute_are_one_row_with_a_count(django_user_model):
    eve = Caller(django_user_model.objects.create_user("eve"))
    with time_machine.travel(AT, tick=False) as clock:
        for second in range(30):
            clock.move_to(AT + timedelta(seconds=second))
            Client().get(f"/cron/jobs/number-{second}")
        eve.get("/cron/jobs/noop")
        Client().get("/cron/status")
        Client(REMOTE_ADDR="203.0.113.9").get("/cron/jobs/noop")
        Client().delete("/cron/jobs/noop")
        clock.move_to(AT + timedelta(minutes=1))
        Client().get("/cron/jobs/noop")

    found = entries("who", "method", "route", "address", "count")
    assert found == [
        ("", "GET", "job", "127.0.0.1", 30),
        ("eve", "GET", "job", "127.0.0.1", 1),
        ("", "GET", "status", "127.0.0.1", 1),
        ("", "GET", "job", "203.0.113.9", 1),
        ("", "DELETE", "job", "127.0.0.1", 1),
        ("", "GET", "job", "127.0.0.1", 1),
    ]
    first = AuditEntry.objects.earliest("pk")
    assert (first.target, first.at, first.last_at) == ("number-0", AT, AT + timedelta(seconds=29))


def test_accepted_actions_are_a_row_each(caller, make_job):
    make_job("noop")
    with time_machine.travel(AT, tick=False):
        for _ in range(3):
            caller.post("/cron/jobs/noop/pause")

    assert entries("count") == [1, 1, 1]


@pytest.mark.parametrize("changing", ["methods", "addresses of one network", "keys", "paths"])
def test_nothing_that_an_attacker_can_vary_makes_more_rows(changing):
    with time_machine.travel(AT, tick=False):
        for number in range(20):
            match changing:
                case "methods":
                    Client().generic(f"M{number}", "/cron/jobs")
                case "addresses of one network":
                    Client(REMOTE_ADDR=f"2a00:1450:4001:82b::{number:x}").get("/cron/jobs")
                case "keys":
                    Client(headers={"Authorization": f"Bearer cron_{number:010}_secret"}).get("/cron/jobs")
                case "paths":
                    Client().get(f"/cron/jobs/{number}?number={number}")

    assert entries("count") == [20]


def test_a_flood_is_counted_to_a_factor_of_two_in_a_few_statements(settings):
    settings.CRONJOBS = {**settings.CRONJOBS, "THROTTLES": {"refused": None}}
    client = Client()
    with time_machine.travel(AT, tick=False):
        for _ in range(64):
            client.get("/cron/status")
        assert entries("count") == [64]

        with CaptureQueriesContext(connection) as captured:
            for _ in range(300 - 64):
                client.get("/cron/status")

    # Added at the 128th and the 256th.
    assert entries("count") == [256]
    assert sum("UPDATE" in query["sql"] for query in captured if "audit" in query["sql"]) == 2


def test_without_a_cache_each_refusal_is_written(no_cache):
    with time_machine.travel(AT, tick=False):
        for _ in range(70):
            assert Client().get("/cron/status").status_code == 401

    assert entries("count") == [70]


@pytest.mark.django_db(transaction=True)
def test_rivals_count_together_in_one_row():
    def refuse_ten(_):
        try:
            return [Client().get("/cron/status").status_code for _ in range(10)]
        finally:
            connection.close()

    with time_machine.travel(AT, tick=False), ThreadPoolExecutor(4) as pool:
        answers = [status for each in pool.map(refuse_ten, range(4)) for status in each]

    assert answers == [401] * 40
    assert entries("count") == [40]


@pytest.fixture
def no_rows():
    """Take the audit's table away for one test, as a database error that is not the action's."""
    table = AuditEntry._meta.db_table
    with connection.schema_editor() as editor:
        editor.alter_db_table(AuditEntry, table, "cronjobs_elsewhere")
    yield
    with connection.schema_editor() as editor:
        editor.alter_db_table(AuditEntry, "cronjobs_elsewhere", table)


@pytest.mark.django_db(transaction=True)
def test_an_entry_that_cannot_be_stored_is_in_the_log_and_the_answer_stands(caller, make_job, no_rows, caplog):
    make_job("noop")

    with caplog.at_level(logging.INFO, logger="cronjobs.audit"):
        assert caller.post("/cron/jobs/noop/pause").status_code == 200
        assert_error(Client().get("/cron/status"), 401, "not_authenticated")

    assert Job.objects.get(name="noop").paused
    records = [record for record in caplog.records if record.name == "cronjobs.audit"]
    assert [record.levelname for record in records] == ["INFO", "ERROR", "WARNING", "ERROR"]
    for record, facts in zip(records[1::2], [("olive", "noop", 200), ("", "", 401)], strict=True):
        assert record.getMessage().startswith("An audit entry could not be stored: ")
        assert (record.who, record.target, record.status) == facts
        assert {"outcome", "credential", "method", "route", "address", "code", "at"} <= vars(record).keys()


def test_every_refusal_and_every_action_is_in_the_log_as_fields(caller, make_job, caplog):
    make_job("noop")

    with caplog.at_level(logging.INFO, logger="cronjobs.audit"):
        caller.post("/cron/jobs/noop/pause")
        Client().post("/cron/jobs/noop/pause")
        caller.get("/cron/jobs/noop")

    accepted, refused = [record for record in caplog.records if record.name == "cronjobs.audit"]
    assert accepted.levelname == "INFO"
    assert accepted.getMessage() == "accepted: POST job-pause 'noop': 200 , to 'olive' at 127.0.0.1"
    assert refused.levelname == "WARNING"
    assert (refused.outcome, refused.status, refused.code) == ("refused", 401, "not_authenticated")


def test_a_write_that_breaks_is_recorded_as_failed(caller, define):
    class Treacherous(forms.Form):
        def clean(self):
            raise RuntimeError("password=hunter2")

    name = define(lambda context: None, params_form=Treacherous)

    assert_error(caller.post(f"/cron/execute/{name}"), 500, "internal_error")

    assert entries("outcome", "target", "status", "code") == [("failed", name, 500, "internal_error")]


def test_a_flood_of_many_kinds_is_bounded_as_one_of_one_kind_is():
    paths = ("status", "jobs", "queues", "nodes", "executions", "health", "stats", "pause", "resume", "preview")
    kinds = list(product(("get", "post", "patch", "delete"), paths, ({}, {"Authorization": "Bearer x"})))

    with time_machine.travel(AT, tick=False):
        for method, path, headers in kinds:
            getattr(Client(), method)(f"/cron/{path}", headers=headers)

    assert len(kinds) == 80
    assert 1 < AuditEntry.objects.count() <= 64
