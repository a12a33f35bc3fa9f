"""Who is let in, what everybody else is told, and what the server tells of itself; who may do what: test_authorisation."""

from __future__ import annotations

import logging
import re

import pytest
from django import forms
from django.contrib.auth.models import Group, Permission
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.core.exceptions import SuspiciousOperation
from django.db import OperationalError, connection
from django.http import UnreadablePostError
from django.test import Client
from rest_framework.exceptions import Throttled
from rest_framework.renderers import JSONRenderer

from cronjobs.api.errors import ErrorCode, handle_error
from cronjobs.api.executions.answers import CODES
from cronjobs.api.rendering import StrictJSONRenderer
from cronjobs.models import JobExecution, Node
from cronjobs.states import FINAL, ExecutionStatus
from tests.integration.api.callers import Caller, assert_error, document, grant

pytestmark = pytest.mark.django_db


def test_a_permission_may_come_from_a_group(django_user_model):
    user, group = django_user_model.objects.create_user("vera"), Group.objects.create(name="viewers")
    group.permissions.add(Permission.objects.get(codename="view_job"))
    user.groups.add(group)

    assert Caller(user).get("/cron/status").status_code == 200


def test_anonymous_callers_are_told_how_to_authenticate():
    assert Caller().get("/cron/status")["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("header", ["Token wrong", "Token", "Token a b", "Token \xe4", "Bearer x", "Basic eDp5"])
def test_other_credentials_let_nobody_in(header):
    answer = Client().get("/cron/status", headers={"Authorization": header})

    assert answer.status_code == 401
    assert document(answer)["code"] in {"authentication_failed", "not_authenticated"}


@pytest.fixture
def browser(django_user_model):
    """A client with a session, as strict about CSRF as a server is."""
    user = django_user_model.objects.create_user("olive", password="secret")
    grant(user, "view_job", "run_job")
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    return client


def test_a_session_reads_without_and_runs_only_with_a_csrf_token(browser):
    assert browser.get("/cron/status").status_code == 200

    assert_error(browser.post("/cron/execute/noop"), 403, "permission_denied")
    assert not JobExecution.objects.exists()

    browser.cookies["csrftoken"] = token = "a" * 32
    answer = browser.post("/cron/execute/noop", {}, content_type="application/json", headers={"X-CSRFToken": token})
    assert answer.status_code == 200
    assert JobExecution.objects.get().requested_by == "olive"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        pytest.param({"csrfmiddlewaretoken": "a" * 32, "wait": "true"}, None, id="multipart"),
        pytest.param(f"csrfmiddlewaretoken={'a' * 32}&wait=true", "application/x-www-form-urlencoded", id="form"),
        pytest.param(b"--x\r\nnonsense", "multipart/form-data; boundary=" + "x" * 300, id="broken-multipart"),
    ],
)
def test_a_form_from_a_page_runs_nothing(browser, body, content_type):
    browser.cookies["csrftoken"] = "a" * 32
    kind = {} if content_type is None else {"content_type": content_type}

    answer = browser.post("/cron/execute/noop", body, headers={"X-CSRFToken": "a" * 32}, **kind)

    assert_error(answer, 400, "invalid_body")
    assert not JobExecution.objects.exists()


def test_a_form_that_a_middleware_has_read_runs_nothing(operator, settings):
    settings.MIDDLEWARE = [f"{__name__}.reading_forms", *settings.MIDDLEWARE]

    answer = operator._client.post("/cron/execute/noop", {"wait": "true"}, headers=operator._headers)

    assert_error(answer, 400, "invalid_body")
    assert not JobExecution.objects.exists()


def reading_forms(get_response):
    """A middleware that looks into every form."""

    def middleware(request):
        request.POST.get("anything")
        return get_response(request)

    return middleware


def test_a_session_of_a_deactivated_user_lets_nobody_in(browser, django_user_model):
    django_user_model.objects.update(is_active=False)

    assert_error(browser.get("/cron/status"), 401, "not_authenticated")


def test_a_body_without_a_length_runs_nothing(operator):
    chunked = {**operator._headers, "Transfer-Encoding": "chunked"}

    answer = operator._client.post("/cron/execute/noop", b"", content_type="application/json", headers=chunked)

    assert "Content-Length" in assert_error(answer, 400, "invalid_body")["error"]
    assert not JobExecution.objects.exists()


@pytest.mark.parametrize("method", ["get", "head", "post", "put", "patch", "delete", "options", "trace"])
@pytest.mark.parametrize(
    "path", ["", "nothing", "status/more", "executions/1/more", "executions/1/logs/2", "live%00", "pause%2F%2F", "%FF"]
)
def test_where_nothing_is_anybody_is_told_so(path, method):
    answer = getattr(Client(), method)(f"/cron/{path}", headers={"Authorization": "Token wrong"})

    assert answer.status_code == 404
    if method != "head":
        assert_error(answer, 404, "not_found")


@pytest.mark.parametrize("path", ["/cron/live", "/cron/live/", "/cron/ready", "/cron/ready/"])
def test_probes_say_yes_and_nothing_else(path):
    found = document(Client().get(path, headers={"Authorization": "Token wrong"}))

    assert found.keys() == {"success", "timestamp"}


@pytest.mark.django_db(transaction=True)
def test_not_ready_without_the_tables():
    with connection.schema_editor() as editor:
        editor.alter_db_table(Node, "cronjobs_node", "cronjobs_elsewhere")
    try:
        answer = Client().get("/cron/ready")
    finally:
        with connection.schema_editor() as editor:
            editor.alter_db_table(Node, "cronjobs_elsewhere", "cronjobs_node")

    assert assert_error(answer, 503, "not_ready")["error"] == "Not ready."


@pytest.fixture
def no_database(monkeypatch):
    """Make connecting to the database impossible for one test, after which it is as it was."""

    def cut():
        connection.close()
        monkeypatch.setitem(connection.settings_dict, "NAME", "/nonexistent/database")

    yield cut
    monkeypatch.undo()
    connection.close()


@pytest.mark.django_db(transaction=True)
def test_without_a_database_the_process_lives_and_is_not_ready(operator, no_database):
    no_database()

    assert Client().get("/cron/live").status_code == 200
    assert_error(Client().get("/cron/ready"), 503, "not_ready")
    assert_error(operator.get("/cron/status"), 503, "database_unavailable")
    assert_error(operator.post("/cron/execute/noop"), 503, "database_unavailable")


def test_a_fault_of_the_server_is_logged_and_not_told(operator, define, caplog):
    class Treacherous(forms.Form):
        def clean(self):
            raise RuntimeError("password=hunter2")

    name = define(lambda context: None, params_form=Treacherous)

    with caplog.at_level(logging.ERROR, logger="cronjobs.api"):
        answer = operator.post(f"/cron/execute/{name}")

    assert_error(answer, 500, "internal_error")
    assert "hunter2" not in answer.content.decode()
    assert "hunter2" in caplog.text


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        pytest.param(DjangoPermissionDenied("secret"), 403, "permission_denied", id="permission"),
        pytest.param(SuspiciousOperation("secret"), 400, "invalid_body", id="suspicious"),
        pytest.param(UnreadablePostError("secret"), 400, "invalid_body", id="unreadable"),
        pytest.param(OperationalError("secret"), 503, "database_unavailable", id="database"),
        pytest.param(ZeroDivisionError("secret"), 500, "internal_error", id="anything"),
    ],
)
def test_what_an_error_says_inside_is_not_told(error, status, code):
    answer = handle_error(error, {})

    assert (answer.status_code, answer.data["code"]) == (status, code)
    assert "secret" not in answer.data["error"]


def test_throttled_callers_are_told_when_to_come_back():
    answer = handle_error(Throttled(wait=7), {})

    assert (answer.status_code, answer.data["code"], answer["Retry-After"]) == (429, "throttled", "7")


def test_every_code_has_a_status_and_a_meaning():
    assert all(each.status in {200, *range(400, 600)} and each.meaning.endswith(".") for each in ErrorCode)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", each) for each in ErrorCode)


def test_every_ending_but_success_has_a_code():
    assert set(CODES) == FINAL - {ExecutionStatus.SUCCEEDED}


@pytest.mark.parametrize("value", [float("nan"), "\ud800", {"a": {1, 2}}])
def test_the_renderer_says_everything_in_strict_json(value):
    assert issubclass(StrictJSONRenderer, JSONRenderer)
    assert b"NaN" not in StrictJSONRenderer().render({"value": value}).replace(b'"NaN"', b"")
