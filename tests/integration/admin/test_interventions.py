"""Cancelling and running again in the admin: who may, what happens, and what is said about it."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from cronjobs.admin.executions import actions
from cronjobs.models import Job, JobExecution
from cronjobs.states import FINAL
from tests.integration.admin.pages import EXECUTIONS, change_url, get, messages_of, text_of

pytestmark = pytest.mark.django_db

SEES = "view_jobexecution"
# Who asks, and what is answered to cancelling and to running again.
PEOPLE = {
    "anonymous": (None, 302, 302),
    "staff": ((), 403, 403),
    "viewer": ((SEES,), 403, 403),
    "blind": (("cancel_jobexecution", "retry_jobexecution"), 403, 403),
    "canceller": ((SEES, "cancel_jobexecution"), 302, 403),
    "retrier": ((SEES, "retry_jobexecution"), 403, 302),
    "superuser": ((), 302, 302),
}


def client_of(role: str, users: Any) -> Client:
    client, granted = Client(), PEOPLE[role][0]
    if granted is not None:
        user = users.objects.create_user(role, is_staff=True, is_superuser=role == "superuser")
        user.user_permissions.set(Permission.objects.filter(content_type__app_label="cronjobs", codename__in=granted))
        client.force_login(user)
    return client


@pytest.fixture
def canceller(django_user_model):
    return client_of("canceller", django_user_model)


@pytest.fixture
def retrier(django_user_model):
    return client_of("retrier", django_user_model)


@pytest.fixture
def make(make_job, make_execution, make_node):
    """Make an execution of noop in a state."""
    make_job("noop")
    make_node()

    def make(status="queued", **columns):
        return make_execution("noop", status=status, **columns)

    return make


def url_of(verb, execution):
    return reverse(f"admin:cronjobs_jobexecution_{verb}", args=[execution.pk])


def press(client, verb, execution, **data):
    """Press a button, and return the messages."""
    return messages_of(client.post(url_of(verb, execution), data, follow=True))


def act(client, action, *executions, **data):
    """Perform an action in the list, and return the messages."""
    data = {"action": action, "index": 0, "_selected_action": [each.pk for each in executions], **data}
    return messages_of(client.post(EXECUTIONS, data, follow=True))


def state():
    return list(JobExecution.objects.order_by("pk").values())


def entries():
    return list(LogEntry.objects.order_by("pk").values_list("user__username", "object_id", "change_message"))


@pytest.mark.parametrize("role", list(PEOPLE))
def test_only_who_may_gets_it_done(django_user_model, make, role):
    waiting, failed = make(), make("failed")
    client, before = client_of(role, django_user_model), state()
    _, cancels, retries = PEOPLE[role]

    assert client.get(url_of("cancel", waiting)).status_code == (200 if role in {"canceller", "superuser"} else cancels)
    assert state() == before
    assert client.post(url_of("cancel", waiting)).status_code == cancels
    assert client.post(url_of("retry", failed)).status_code == retries

    waiting.refresh_from_db()
    assert (waiting.status == "cancelled") == (role in {"canceller", "superuser"})
    assert (JobExecution.objects.count() == 3) == (role in {"retrier", "superuser"})


@pytest.mark.parametrize("role", list(PEOPLE))
@pytest.mark.parametrize("action", ["cancel_selected", "run_selected_again"])
def test_an_action_works_only_for_who_may(django_user_model, make, role, action):
    execution = make("queued" if action == "cancel_selected" else "failed")
    client, before = client_of(role, django_user_model), state()

    client.post(EXECUTIONS, {"action": action, "index": 0, "_selected_action": [execution.pk]})

    allowed = {"canceller" if action == "cancel_selected" else "retrier", "superuser"}
    assert (state() != before) == (role in allowed)


@pytest.mark.parametrize("role", ["viewer", "canceller", "retrier", "superuser"])
def test_who_may_not_is_offered_nothing(django_user_model, make, role):
    client, waiting, runs, failed = client_of(role, django_user_model), make(), make("running"), make("failed")
    may_cancel, may_retry = role in {"canceller", "superuser"}, role in {"retrier", "superuser"}

    assert (url_of("cancel", waiting) in get(client, change_url(waiting))) == may_cancel
    assert (url_of("cancel", runs) in get(client, change_url(runs))) == may_cancel
    assert (url_of("retry", failed) in get(client, change_url(failed))) == may_retry
    page = get(client, EXECUTIONS)
    assert ('value="cancel_selected"' in page) == may_cancel
    assert ('value="run_selected_again"' in page) == may_retry
    assert ("action-select" in page) == (may_cancel or may_retry)
    assert "delete_selected" not in page


@pytest.mark.parametrize(
    ("status", "columns", "cancel", "retry"),
    [
        ("queued", {}, True, False),
        ("running", {}, True, False),
        *((status, {}, False, status != "missed") for status in sorted(FINAL)),
        ("failed", {"job": None}, False, False),
    ],
)
def test_a_button_is_there_only_where_it_applies(superuser, make, *, status, columns, cancel, retry):
    execution = make(status, **columns)

    page = get(superuser, change_url(execution))

    assert (url_of("cancel", execution) in page) == cancel
    assert (url_of("retry", execution) in page) == retry


def test_what_waits_is_cancelled_with_one_click(canceller, make):
    execution = make()

    assert press(canceller, "cancel", execution) == ["success: 1 execution was cancelled."]

    execution.refresh_from_db()
    assert (execution.status, execution.cancel_requested_by) == ("cancelled", "canceller")
    assert entries() == [("canceller", str(execution.pk), "Cancelled.")]
    assert "Asked to stop By canceller" in text_of(get(canceller, change_url(execution)))


def test_what_runs_is_asked_only_on_a_page_of_its_own(canceller, make):
    execution = make("running")
    before = state()

    page = canceller.post(url_of("cancel", execution)).content.decode()
    assert "It will be asked to stop" in text_of(page)
    assert state() == before

    said = press(canceller, "cancel", execution, reason="<b>Wrong</b> month.")

    assert said == [
        "success: 1 execution runs, and was asked to stop: it is cancelled when its code has ended.",
    ]
    execution.refresh_from_db()
    assert (execution.status, execution.cancel_reason) == ("running", "<b>Wrong</b> month.")
    assert entries() == [("canceller", str(execution.pk), "Asked to stop. <b>Wrong</b> month.")]
    page = get(canceller, change_url(execution))
    assert "<b>Wrong</b>" not in page
    assert "By canceller, because: <b>Wrong</b> month." in text_of(page)
    assert url_of("cancel", execution) not in page
    assert press(canceller, "cancel", execution, reason="") == ["info: 1 execution had been asked to stop before."]


def test_the_page_for_what_waits_takes_a_reason_as_well(canceller, make):
    execution = make()
    assert "It is cancelled at once." in text_of(get(canceller, url_of("cancel", execution)))

    press(canceller, "cancel", execution, reason="Not yet.")

    execution.refresh_from_db()
    assert (execution.status, execution.reason) == ("cancelled", "Not yet.")


def test_a_secret_in_a_reason_is_in_no_trace_of_it(canceller, make):
    waits, runs = make(), make("running")

    for execution in (waits, runs):
        press(canceller, "cancel", execution, reason="Wrong --token s3cr3t given")

    assert [message for *_, message in entries()] == [
        "Cancelled. Wrong --token *** given",
        "Asked to stop. Wrong --token *** given",
    ]


@pytest.mark.parametrize("reason", ["x" * 201, "a\x00b"])
def test_a_reason_that_cannot_be_kept_is_refused(canceller, make, reason):
    execution = make("running")
    before = state()

    response = canceller.post(url_of("cancel", execution), {"reason": reason})

    assert response.status_code == 200
    assert response.context["form"].errors.keys() == {"reason"}
    assert state() == before


@pytest.mark.parametrize("method", ["get", "post"])
def test_what_has_ended_stays_as_it_is(canceller, make, method):
    execution = make("failed")
    before = state()

    response = getattr(canceller, method)(url_of("cancel", execution), {"reason": "Late."}, follow=True)

    assert messages_of(response) == ["warning: 1 execution had ended already, and stays as it is."]
    assert (state(), entries()) == (before, [])


def test_what_failed_is_run_again_with_one_click(retrier, make):
    original = make("failed")

    response = retrier.post(url_of("retry", original), follow=True)

    rerun = JobExecution.objects.latest("pk")
    assert response.redirect_chain == [(change_url(rerun), 302)]
    assert messages_of(response) == [f"success: Execution #{rerun.pk} of noop was queued."]
    assert (rerun.retry_of_id, rerun.requested_by, rerun.status) == (original.pk, "retrier", "queued")
    assert entries() == [("retrier", str(original.pk), f"Run again: execution #{rerun.pk}.")]
    assert f'Is a rerun of</th><td><a href="{change_url(original)}">#{original.pk}</a>' in get(
        retrier, change_url(rerun)
    )
    assert f'Run again as</th><td><a href="{change_url(rerun)}">#{rerun.pk}</a>' in get(retrier, change_url(original))


def test_a_double_click_queues_one(retrier, make):
    original = make("failed")
    press(retrier, "retry", original)

    said = press(retrier, "retry", original)

    rerun = JobExecution.objects.latest("pk")
    assert said == [
        f"info: Nothing was queued twice: execution #{original.pk} is being run again already, as #{rerun.pk}."
    ]
    assert JobExecution.objects.count() == 2
    assert len(entries()) == 1


def test_reading_an_address_runs_nothing(retrier, make):
    original = make("failed")

    assert retrier.get(url_of("retry", original)).status_code == 405
    assert JobExecution.objects.count() == 1


def test_without_a_node_it_is_said_to_wait(retrier, make_job, make_execution):
    make_job("noop")

    (said,) = press(retrier, "retry", make_execution("noop", status="failed"))

    assert said.startswith("warning: ")
    assert "no node is alive" in said


def test_what_cannot_be_run_again_says_why(retrier, make):
    original = make("failed")
    Job.objects.filter(name="noop").update(time_zone="Mars/Base")

    (said,) = press(retrier, "retry", original)

    assert said.startswith(f"error: Execution {original.pk} cannot be run again: its job, noop, is broken.")
    assert "Mars/Base" in said
    assert entries() == []


def test_a_rerun_of_what_is_no_longer_there_says_so(superuser, make):
    page = get(superuser, change_url(make("failed", retry_of_id=4711)))

    assert "#4711 (no longer there)" in text_of(page)


@pytest.mark.parametrize("verb", ["cancel", "retry"])
def test_a_forged_post_is_refused(django_user_model, make, verb):
    execution = make("queued" if verb == "cancel" else "failed")
    client_of("superuser", django_user_model)
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(django_user_model.objects.get())
    before = state()

    assert browser.post(url_of(verb, execution)).status_code == 403
    assert state() == before


@pytest.mark.parametrize("verb", ["cancel", "retry"])
def test_what_is_not_there_is_not_found(superuser, verb):
    assert superuser.post(url_of(verb, JobExecution(pk=4711))).status_code == 404


def test_cancelling_several_says_what_happened_to_how_many(canceller, make):
    rows = [make(), make(), make("running"), make("running"), make("failed")]
    act(canceller, "cancel_selected", rows[2])

    said = act(canceller, "cancel_selected", *rows)

    assert said == [
        "success: 2 executions were cancelled.",
        "success: 1 execution runs, and was asked to stop: it is cancelled when its code has ended.",
        "info: 1 execution had been asked to stop before.",
        "warning: 1 execution had ended already, and stays as it is.",
    ]
    assert {entry[1] for entry in entries()} == {str(each.pk) for each in rows[:4]}


def test_running_several_again_says_what_happened_to_each(retrier, make):
    rows = [make("failed"), make("cancelled"), make("running")]

    said = act(retrier, "run_selected_again", *rows)

    assert said == [
        "success: 2 executions were queued.",
        f"error: Execution {rows[2].pk} cannot be run again: it is still running. Cancel it first.",
    ]
    # The oldest goes first.
    reruns = JobExecution.objects.filter(trigger="retry").order_by("pk")
    assert list(reruns.values_list("retry_of_id", flat=True)) == [rows[0].pk, rows[1].pk]
    assert len(entries()) == 2


@pytest.mark.parametrize(
    ("action", "bound"), [("cancel_selected", "MOST_CANCELLED"), ("run_selected_again", "MOST_RERUN")]
)
def test_too_many_at_a_time_are_refused_as_a_whole(superuser, make, monkeypatch, action, bound):
    monkeypatch.setattr(actions, bound, 2)
    rows = [make("queued" if action == "cancel_selected" else "failed") for _ in range(3)]
    before = state()

    said = act(superuser, action, rows[0], select_across="1")

    assert said == ["error: Nothing was done: at most 2 executions can be chosen at a time."]
    assert state() == before


def test_everything_that_a_filtered_list_shows_can_be_chosen(superuser, make):
    waiting, runs = [make() for _ in range(3)], make("running")

    data = {"action": "cancel_selected", "index": 0, "_selected_action": [waiting[0].pk], "select_across": "1"}
    response = superuser.post(f"{EXECUTIONS}?status__exact=queued", data, follow=True)

    assert messages_of(response) == ["success: 3 executions were cancelled."]
    runs.refresh_from_db()
    assert runs.cancel_requested_at is None
