"""Cancelling and running again over HTTP: who may, what is answered, and what is refused."""

from __future__ import annotations

import pytest
from django.test import Client

from cronjobs.database import read_clock
from cronjobs.executors.inline import run_inline
from cronjobs.models import Job, JobExecution
from cronjobs.models.moves import claim
from cronjobs.states import FINAL, OPEN
from tests.integration.api.callers import Caller, assert_error, document, grant
from tests.servers import wait_for

pytestmark = pytest.mark.django_db

# Who asks: the answers to cancelling what waits, to running again what failed, and to a GET of either.
TABLE = {
    "anonymous": (401, 401, 401),
    "plain": (403, 403, 403),
    "staff": (403, 403, 403),
    "view_jobexecution": (403, 403, 403),
    "run_job": (403, 403, 403),
    "change_job": (403, 403, 403),
    "cancel_jobexecution": (200, 403, 405),
    "retry_jobexecution": (403, 201, 405),
    "superuser": (200, 201, 405),
    "inactive": (401, 401, 401),
}
PERMISSIONS = ("view_jobexecution", "run_job", "change_job", "cancel_jobexecution", "retry_jobexecution")


def caller_of(kind, users):
    if kind == "anonymous":
        return Caller()
    user = users.create_user(kind, is_staff=kind == "staff", is_superuser=kind == "superuser")
    grant(user, *(PERMISSIONS if kind == "inactive" else [kind]))
    user.is_active = kind != "inactive"
    user.save()
    return Caller(user)


@pytest.fixture
def operator(django_user_model):
    """Somebody who may cancel and run again."""
    user = django_user_model.objects.create_user("olive")
    grant(user, "cancel_jobexecution", "retry_jobexecution")
    return Caller(user)


@pytest.fixture
def make(make_job):
    """Make an execution in a state."""

    def make(status="queued", **columns):
        make_job("succeeds")
        execution = JobExecution.objects.request("succeeds", params={"value": 7})
        JobExecution.objects.filter(pk=execution.pk).update(status=status, **columns)
        return execution

    return make


def state():
    return list(JobExecution.objects.order_by("pk").values())


@pytest.mark.parametrize("kind", list(TABLE))
@pytest.mark.parametrize("slash", ["", "/"])
def test_the_authorisation_table(django_user_model, make, kind, slash):
    waiting, failed = make(), make("failed")
    caller, before = caller_of(kind, django_user_model.objects), state()
    may_cancel, may_retry, may_get = TABLE[kind]

    cancelled = caller.post(f"/cron/executions/{waiting.pk}/cancel{slash}")
    retried = caller.post(f"/cron/executions/{failed.pk}/retry{slash}")

    assert (cancelled.status_code, retried.status_code) == (may_cancel, may_retry)
    if kind not in {"cancel_jobexecution", "retry_jobexecution", "superuser"}:
        assert state() == before
    waiting.refresh_from_db()
    assert (waiting.status == "cancelled") == (may_cancel == 200)
    assert (JobExecution.objects.count() == 3) == (may_retry == 201)
    verb = "cancel" if kind == "cancel_jobexecution" else "retry"
    code = {401: "not_authenticated", 403: "permission_denied", 405: "method_not_allowed"}[may_get]
    answer = caller.get(f"/cron/executions/{failed.pk}/{verb}{slash}")
    assert_error(answer, may_get, "authentication_failed" if kind == "inactive" else code)


def test_what_waits_is_cancelled_at_once(operator, make):
    execution = make()

    answer = operator.post(f"/cron/executions/{execution.pk}/cancel", {"reason": "Wrong month."})

    found = document(answer)
    assert answer.status_code == 200
    assert (found["status"], found["code"], found["error"]) == ("cancelled", "job_cancelled", "Wrong month.")
    assert (found["executionId"], found["url"]) == (execution.pk, f"/cron/executions/{execution.pk}")
    execution.refresh_from_db()
    assert (execution.cancel_requested_by, execution.cancel_reason) == ("olive", "Wrong month.")


def test_what_runs_is_asked_to_stop_and_asking_twice_is_no_error(operator, make):
    execution = make()
    claim(node="a", limit=1, now=read_clock("default"))
    url = f"/cron/executions/{execution.pk}"

    first = operator.post(f"{url}/cancel", {"reason": "First."})
    second = operator.post(f"{url}/cancel", {"reason": "Second."})

    for answer, said in ((first, "has been asked"), (second, "had been asked to stop before")):
        found = document(answer)
        assert (answer.status_code, answer["Location"], found["url"]) == (202, url, url)
        assert (found["success"], found["status"]) == (True, "running")
        assert said in found["note"]
        # Whoever asks later sees who has asked first, and why.
        assert found["cancelRequestedAt"]
        assert (found["cancelRequestedBy"], found["cancelReason"]) == ("olive", "First.")
    execution.refresh_from_db()
    assert execution.cancel_reason == "First."


@pytest.mark.parametrize("status", sorted(FINAL))
def test_what_has_ended_cannot_be_cancelled(operator, make, status):
    execution = make(status)
    before = state()

    found = assert_error(operator.post(f"/cron/executions/{execution.pk}/cancel"), 409, "not_open")

    assert found["error"] == f"Execution {execution.pk} has ended already: it is {status}."
    assert state() == before


@pytest.mark.parametrize("verb", ["cancel", "retry"])
@pytest.mark.parametrize(
    "number", ["1", "9" * 18, "9" * 19, "9" * 5000, "0", "-1", "1.0", "one", "\N{ARABIC-INDIC DIGIT ONE}"]
)
def test_what_is_not_there_is_not_found(operator, verb, number):
    found = assert_error(operator.post(f"/cron/executions/{number}/{verb}"), 404, "execution_not_found")

    assert found["error"] == f"There is no execution {number}."


@pytest.mark.parametrize(
    ("verb", "body", "errors"),
    [
        pytest.param("cancel", b"no", None, id="not-json"),
        pytest.param("cancel", [], None, id="no-object"),
        pytest.param("cancel", {"reason": 1}, {"reason": ["Must be text."]}, id="no-text"),
        pytest.param("cancel", {"reason": "x" * 201}, {"reason": ["At most 200 characters."]}, id="too-long"),
        pytest.param("cancel", {"why": ""}, {"why": ["There is no such key; known is reason."]}, id="unknown"),
        pytest.param("retry", b"no", None, id="retry-not-json"),
        pytest.param("retry", {"params": {}}, {"params": ["There is no such key; none is known."]}, id="retry-unknown"),
    ],
)
def test_a_body_that_is_not_understood_does_nothing(operator, make, verb, body, errors):
    execution = make("queued" if verb == "cancel" else "failed")
    before = state()

    found = assert_error(operator.post(f"/cron/executions/{execution.pk}/{verb}", body), 400, "invalid_body")

    assert found.get("errors") == errors
    assert state() == before


def test_a_body_that_is_too_large_does_nothing(operator, make, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    execution = make()

    answer = operator.post(f"/cron/executions/{execution.pk}/cancel", {"reason": "x" * 200})

    assert_error(answer, 413, "body_too_large")
    execution.refresh_from_db()
    assert execution.status == "queued"


def test_a_reason_that_no_database_takes_is_kept_as_well_as_can_be(operator, make):
    execution = make()

    assert operator.post(f"/cron/executions/{execution.pk}/cancel", {"reason": "a\x00b"}).status_code == 200

    execution.refresh_from_db()
    assert execution.reason == "a\N{REPLACEMENT CHARACTER}b"


def test_what_failed_runs_again_as_a_new_execution(operator, make):
    original = make("failed")

    answer = operator.post(f"/cron/executions/{original.pk}/retry")

    found, rerun = document(answer), JobExecution.objects.latest("pk")
    url = f"/cron/executions/{rerun.pk}"
    assert (answer.status_code, answer["Location"], found["url"]) == (201, url, url)
    assert (found["executionId"], found["retryOf"], found["status"]) == (rerun.pk, original.pk, "queued")
    assert (found["success"], "note" in found) == (True, False)
    assert (found["trigger"], found["requestedBy"]) == ("retry", "olive")
    assert (rerun.retry_of_id, rerun.requested_by, rerun.trigger) == (original.pk, "olive", "retry")


def test_asking_twice_leads_to_the_one_that_is_waiting(operator, make):
    original = make("failed")
    first = operator.post(f"/cron/executions/{original.pk}/retry", {})

    second = operator.post(f"/cron/executions/{original.pk}/retry")

    assert (second.status_code, second["Location"]) == (200, first["Location"])
    assert "already" in document(second)["note"]
    assert JobExecution.objects.count() == 2


@pytest.mark.parametrize("status", sorted(OPEN))
def test_what_has_not_ended_cannot_be_run_again(operator, make, status):
    execution = make(status)

    found = assert_error(operator.post(f"/cron/executions/{execution.pk}/retry"), 409, "still_open")

    assert "Cancel it first." in found["error"]
    assert JobExecution.objects.count() == 1


@pytest.mark.parametrize(
    ("status", "change", "answer", "code"),
    [
        pytest.param("missed", {}, 409, "not_retryable", id="missed"),
        pytest.param("failed", {"definition": "noop"}, 409, "not_retryable", id="parameters"),
        pytest.param("failed", {"definition": "unknown"}, 409, "job_broken", id="code"),
        pytest.param("failed", {"time_zone": "Mars/Base"}, 409, "job_broken", id="broken"),
        pytest.param("failed", None, 404, "job_not_found", id="gone"),
    ],
)
def test_what_cannot_be_run_again_says_why(operator, make, *, status, change, answer, code):
    execution = make(status)
    jobs = Job.objects.filter(name="succeeds")
    if change is None:
        jobs.delete()
    elif change:
        jobs.update(**change)

    found = assert_error(operator.post(f"/cron/executions/{execution.pk}/retry"), answer, code)

    assert found["error"].startswith(f"Execution {execution.pk} cannot be run again: ")
    assert ("errors" in found) == (change == {"definition": "noop"})
    assert JobExecution.objects.count() == 1


@pytest.mark.parametrize("verb", ["cancel", "retry"])
def test_a_session_needs_its_csrf_token(django_user_model, make, verb):
    user = django_user_model.objects.create_user("olive")
    grant(user, "cancel_jobexecution", "retry_jobexecution")
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(user)
    execution = make("queued" if verb == "cancel" else "failed")
    url, before = f"/cron/executions/{execution.pk}/{verb}", state()

    assert_error(browser.post(url), 403, "permission_denied")
    assert state() == before

    browser.cookies["csrftoken"] = token = "a" * 32
    answer = browser.post(url, {}, content_type="application/json", headers={"X-CSRFToken": token})
    assert answer.status_code in {200, 201}
    assert state() != before


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_job_that_listens_is_stopped_by_whoever_may(operator, node, make_job):
    make_job("patient")
    execution = JobExecution.objects.request("patient")
    row = JobExecution.objects.filter(pk=execution.pk)
    node.clock.wakeup()
    wait_for(lambda: row.filter(status="running").exists())

    answer = operator.post(f"/cron/executions/{execution.pk}/cancel", {"reason": "Enough."})

    assert answer.status_code == 202
    wait_for(lambda: row.filter(status="cancelled").exists())
    execution.refresh_from_db()
    assert (execution.result, execution.reason) == ({"tidied": True}, "Enough.")
    assert execution.cancel_requested_by == "olive"


def test_a_traceback_is_for_those_who_may_view_executions(operator, django_user_model, make_job):
    make_job("fails")
    execution = run_inline("fails")
    reader = django_user_model.objects.create_user("rita")
    grant(reader, "view_jobexecution")
    address = f"/cron/executions/{execution.pk}"

    found = document(Caller(reader).get(address))

    assert found["traceback"].startswith("Traceback (most recent call last):")
    assert found["traceback"].strip().endswith("RuntimeError: boom")
    assert "traceback" not in document(operator.get(address))
