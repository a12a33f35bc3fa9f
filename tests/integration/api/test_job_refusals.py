"""What is refused of jobs over HTTP, with its key: nothing has changed then."""

from __future__ import annotations

import sys

import pytest
from django.test import Client

from cronjobs.models import JobExecution, Queue
from tests.integration.api.callers import assert_error
from tests.integration.api.jobs import entries, rows
from tests.integration.conftest import CALLABLES

pytestmark = pytest.mark.django_db


def test_a_name_is_taken_once(editor, noop):
    before = rows()

    assert_error(editor.post("/cron/jobs", {"name": "noop", "definition": "noop"}), 409, "job_exists")

    assert (rows(), entries()) == (before, [])


NAMES = [
    "reports/daily", "a.b", "x y", "nächtlich 日報", "..", "a%2Fb", "?q", "<b>", "n" * 255, "", "-", "A", "a\x00b",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_no_address_could_have_is_refused(editor, noop, name):
    before = rows()

    found = assert_error(editor.post("/cron/jobs", {"name": name, "definition": "noop"}), 400, "invalid")

    assert list(found["errors"]) == ["name"]
    assert (rows(), entries()) == (before, [])
    assert editor.get("/cron/jobs").status_code == 200


@pytest.mark.parametrize("name", ["reports%2Fdaily", "a.b", "x%20y", "%00", "n" * 255, "nobody", "%F0%9F%98%80"])
@pytest.mark.parametrize("what", ["", "/pause", "/resume", "/skip-next", "/preview"])
def test_a_name_that_no_job_has_is_not_found(editor, noop, name, what):
    method = editor.get if what in ("", "/preview") else editor.post

    assert_error(method(f"/cron/jobs/{name}{what}"), 404, "job_not_found")
    if not what:
        assert_error(editor.patch(f"/cron/jobs/{name}", {}), 404, "job_not_found")
        assert_error(editor.delete(f"/cron/jobs/{name}"), 404, "job_not_found")


@pytest.mark.parametrize("path", CALLABLES)
def test_only_what_the_code_registers_can_be_scheduled(editor, noop, sentinel, path):
    before = rows()

    created = editor.post("/cron/jobs", {"name": "mine", "definition": path})
    changed = editor.patch("/cron/jobs/noop", {"definition": path})

    for answer in (created, changed):
        assert list(assert_error(answer, 400, "invalid")["errors"]) == ["definition"]
    assert not sentinel.exists()
    assert "sentinel_module" not in sys.modules
    assert rows() == before


MISTAKES = [
    ("name", "other"), ("id", 1), ("broken_reason", "x"), ("stale", 0), ("", 1),
    ("definition", None), ("definition", "nobody"), ("definition", 7),
    ("schedule", "61 * * * *"), ("schedule", 5), ("schedule", "a\x00b"), ("schedule", "@daily " * 40),
    ("timeZone", "Mars/Base"), ("timeZone", ""),
    ("params", None), ("params", []), ("params", {"surprise": 1}), ("params", {"a": "\x00"}),
    ("enabled", None), ("enabled", 1), ("enabled", "true"), ("paused", None),
    ("pausedUntil", "2036-01-01T00:00:00Z"), ("startsAt", "tomorrow"), ("startsAt", "2026-01-01T00:00:00"),
    ("startsAt", 1767225600), ("endsAt", "0001-01-01T00:00:00Z"),
    ("jitterSeconds", -1), ("jitterSeconds", "5"), ("jitterSeconds", True), ("timeoutSeconds", 0),
    ("timeoutSeconds", 1e300), ("timeoutSeconds", 10**400), ("misfireGraceSeconds", 1e10),
    ("calendar", "nowhere"), ("calendar", 1), ("calendar", "\ud800"),
    ("catchUp", "sometimes"), ("overlap", ""), ("overlap", "never"), ("maxInstances", 0), ("maxInstances", 1.5),
    ("maxInstances", 2**15), ("maxAttempts", 2**15), ("memoryLimitBytes", 2**63), ("maxAttempts", 1e300),
    ("queue", "a,b"), ("queue", "*"), ("priority", 6), ("priority", "high"), ("maxAttempts", 0),
    ("backoffMultiplier", 0.5), ("backoffMultiplier", 10**400), ("rerunLost", "no"), ("rateLimit", "lots"),
    ("executor", "moon"), ("memoryLimitBytes", 0), ("memoryLimitBytes", -5), ("memoryLimitBytes", 2**70),
    ("cpuLimitSeconds", 0), ("dependsOn", "succeeds"), ("dependsOn", {"nobody": "success"}),
    ("dependsOn", {"noop": "success"}), ("dependsOn", {"succeeds": "sometimes"}), ("dependsOn", {"a b": None}),
    ("alertOn", "failing"), ("alertOn", ["falling"]), ("alertOn", ["node_gone"]), ("alertOn", ["lost", "lost"]),
    ("alertOn", [1]), ("alertTo", "ops"), ("alertTo", ["n" * 51]), ("alertTo", ["none", "ops"]),
    ("alertAfter", 0), ("alertAfter", 101), ("lateAfterSeconds", 0), ("expectedDurationSeconds", -1),
    ("noSuccessAfterSeconds", "1d"), ("pingUrl", "ftp://example.com"), ("pingUrl", "https://user:pw@example.com/x"),
    ("pingUrl", "https://"), ("pingUrl", "https://example.com:99999/"), ("runbookUrl", "javascript:alert(1)"),
    ("runbookUrl", "https://example.com/" + "x" * 500), ("owner", None), ("owner", "n" * 151), ("description", 1),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value"), MISTAKES, ids=[f"{key}={value!r:.20}" for key, value in MISTAKES])
def test_what_cannot_be_meant_is_refused_with_its_key_and_changes_nothing(editor, noop, make_job, key, value):
    make_job("succeeds")
    before = rows()

    for body in ({key: value}, {"owner": "somebody else", key: value}):
        found = assert_error(editor.patch("/cron/jobs/noop", body), 400, "invalid")
        assert list(found["errors"]) == [key]
    if key != "name":
        created = {"name": "mine", "definition": "noop", key: value}
        if key != "dependsOn" or value != {"noop": "success"}:
            assert key in assert_error(editor.post("/cron/jobs", created), 400, "invalid")["errors"]

    assert (rows(), entries()) == (before, [])


BODIES = [b"[]", b"{", b"null", b"1", b'"x"', b"\xff", b'{"owner": NaN}', b"{'owner': 1}", b"[" * 100_000, b"owner=1"]


@pytest.mark.parametrize("body", BODIES, ids=[repr(each[:12]) for each in BODIES])
def test_what_is_no_object_is_refused_and_changes_nothing(editor, noop, body):
    before = rows()

    assert_error(editor.patch("/cron/jobs/noop", body), 400, "invalid_body")
    for path in ("/cron/jobs", "/cron/jobs/noop/pause", "/cron/jobs/noop/resume", "/cron/jobs/noop/skip-next"):
        assert_error(editor.post(path, body), 400, "invalid_body")

    assert (rows(), entries(), JobExecution.objects.count()) == (before, [], 0)


def test_a_job_needs_a_name_and_a_definition(editor, noop):
    assert set(assert_error(editor.post("/cron/jobs"), 400, "invalid")["errors"]) == {"name", "definition"}


@pytest.mark.parametrize("body", [{"until": "2020-01-01T00:00:00Z"}, {"until": 5}, {"till": None}, {"until": "soon"}])
def test_a_pause_that_cannot_be_meant_is_refused(editor, noop, body):
    before = rows()

    assert list(assert_error(editor.post("/cron/jobs/noop/pause", body), 400, "invalid")["errors"]) == list(body)

    assert (rows(), entries()) == (before, [])


def test_a_session_changes_nothing_without_a_csrf_token(noop, django_user_model):
    django_user_model.objects.create_superuser("sue", password="secret")
    browser = Client(enforce_csrf_checks=True)
    browser.login(username="sue", password="secret")
    before = rows()

    for answer in (
        browser.patch("/cron/jobs/noop", "{}", content_type="application/json"),
        browser.delete("/cron/jobs/noop"),
        browser.post("/cron/jobs/noop/pause"),
        browser.post("/cron/jobs", {"name": "mine", "definition": "noop"}, content_type="application/json"),
        browser.post("/cron/pause"),
    ):
        assert_error(answer, 403, "permission_denied")

    assert (rows(), entries()) == (before, [])
    assert not Queue.objects.filter(paused=True).exists()
