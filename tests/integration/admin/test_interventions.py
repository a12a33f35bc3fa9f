"""Cancelling and running again in the admin: who may, what happens, and what is said about it."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from cronjobs.admin.executions import actions
from cronjobs.admin.windows import WindowPaginator
from cronjobs.models import Job, JobExecution
from cronjobs.states import FINAL
from tests.integration.admin.pages import EXECUTIONS, change_url, get, messages_of, text_of

pytestmark = pytest.mark.django_db

CANCEL_SEVERAL = f"{EXECUTIONS}cancel/"

SEES = "view_jobexecution"
# With one permission alone: who asks, and what is answered to cancelling and to running again.
PEOPLE = {
    "blind": (("cancel_jobexecution", "retry_jobexecution"), 403, 403),
    "canceller": ((SEES, "cancel_jobexecution"), 302, 403),
    "retrier": ((SEES, "retry_jobexecution"), 403, 302),
}


def client_of(role: str, users: Any) -> Client:
    client, granted = Client(), PEOPLE[role][0]
    user = users.objects.create_user(role, is_staff=True)
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


def ask(client, *executions, query="", **data):
    """Choose to cancel executions in the list, and return the page that asks."""
    data = {"action": "cancel_selected", "index": 0, "_selected_action": [each.pk for each in executions], **data}
    return client.post(f"{EXECUTIONS}{query}", data)


def confirm_raw(client, page, reason=""):
    """Answer the page that asks, and return what comes then."""
    return client.post(page.context["action_url"], {"ids": page.context["ids"], "reason": reason}, follow=True)


def confirm(client, page, **data):
    """Answer the page that asks, and return the messages."""
    return messages_of(confirm_raw(client, page, **data))


def state():
    return list(JobExecution.objects.order_by("pk").values())


def entries():
    rows = LogEntry.objects.select_related("user").order_by("pk")
    return [(each.user.get_username(), each.object_id, each.get_change_message()) for each in rows]


@pytest.mark.parametrize("role", list(PEOPLE))
def test_only_who_may_gets_it_done(django_user_model, make, role):
    waiting, failed = make(), make("failed")
    client, before = client_of(role, django_user_model), state()
    _, cancels, retries = PEOPLE[role]

    assert client.get(url_of("cancel", waiting)).status_code == (200 if role == "canceller" else cancels)
    assert state() == before
    assert client.post(url_of("cancel", waiting), {"reason": ""}).status_code == cancels
    assert client.post(url_of("retry", failed)).status_code == retries

    waiting.refresh_from_db()
    assert (waiting.status == "cancelled") == (role == "canceller")
    assert (JobExecution.objects.count() == 3) == (role == "retrier")


@pytest.mark.parametrize("role", list(PEOPLE))
@pytest.mark.parametrize("action", ["cancel_selected", "run_selected_again"])
def test_an_action_works_only_for_who_may(django_user_model, make, role, action):
    execution = make("queued" if action == "cancel_selected" else "failed")
    client, before = client_of(role, django_user_model), state()

    client.post(EXECUTIONS, {"action": action, "index": 0, "_selected_action": [execution.pk]})
    if action == "cancel_selected":
        assert state() == before
        client.post(CANCEL_SEVERAL, {"ids": str(execution.pk), "reason": ""})

    assert (state() != before) == (role == ("canceller" if action == "cancel_selected" else "retrier"))


@pytest.mark.parametrize("role", ["canceller", "retrier"])
def test_who_may_not_is_offered_nothing(django_user_model, make, role):
    client, waiting, runs, failed = client_of(role, django_user_model), make(), make("running"), make("failed")
    may_cancel, may_retry = role == "canceller", role == "retrier"

    assert (url_of("cancel", waiting) in get(client, change_url(waiting))) == may_cancel
    assert (url_of("cancel", runs) in get(client, change_url(runs))) == may_cancel
    assert (url_of("retry", failed) in get(client, change_url(failed))) == may_retry
    page = get(client, EXECUTIONS)
    assert ('value="cancel_selected"' in page) == may_cancel
    assert ('value="run_selected_again"' in page) == may_retry
    assert 'value="export_selected"' in page
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


def test_what_waits_is_cancelled_by_whoever_has_been_asked(canceller, make):
    execution = make()
    before = state()

    assert "It is cancelled at once." in text_of(canceller.post(url_of("cancel", execution)).content.decode())
    assert state() == before
    assert press(canceller, "cancel", execution, reason="") == ["success: 1 execution was cancelled."]

    execution.refresh_from_db()
    assert (execution.status, execution.cancel_requested_by) == ("cancelled", "canceller")
    assert entries() == [("canceller", str(execution.pk), "Changed asked to stop and status.")]
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
    assert entries() == [("canceller", str(execution.pk), "Changed asked to stop and asked to stop because.")]
    history = get(canceller, f"{EXECUTIONS}{execution.pk}/history/")
    assert "Asked to stop because empty <b>Wrong</b> month." in text_of(history)
    assert "<b>Wrong" not in history
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

    stored = list(LogEntry.objects.order_by("pk").values_list("change_message", flat=True))
    assert ["Wrong --token *** given" in each for each in stored] == [True, True]
    assert not [each for each in stored if "s3cr3t" in each]


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
    assert entries() == [("retrier", str(original.pk), f"Added execution “{rerun}”.")]
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
    assert "No node is alive" in said


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
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(django_user_model.objects.create_superuser("sue"))
    before = state()

    assert browser.post(url_of(verb, execution)).status_code == 403
    assert state() == before


@pytest.mark.parametrize("verb", ["cancel", "retry"])
def test_what_is_not_there_is_not_found(superuser, verb):
    assert superuser.post(url_of(verb, JobExecution(pk=4711))).status_code == 404


def test_cancelling_several_says_what_happened_to_how_many(canceller, make):
    rows = [make(), make(), make("running"), make("running"), make("failed")]
    confirm(canceller, ask(canceller, rows[2]))
    before = state()

    page = ask(canceller, *rows)

    text = text_of(page.content.decode())
    for sentence in (
        "2 executions wait. They are cancelled at once.",
        "1 execution runs. It will be asked to stop, and is cancelled when its code has really ended.",
        "1 execution has been asked to stop before; nothing more is done to it.",
        "1 execution has ended already, and stays as it is.",
        f"noop #{rows[0].pk} (Queued)",
        f"noop #{rows[3].pk} (Running)",
    ):
        assert sentence in text
    assert f"#{rows[4].pk}" not in text
    assert state() == before

    # One of them ends before the question is answered.
    JobExecution.objects.filter(pk=rows[3].pk).update(status="succeeded")
    said = confirm(canceller, page, reason="Wrong <b>month</b>.")

    assert said == [
        "success: 2 executions were cancelled.",
        "warning: 1 execution had ended already, and stays as it is.",
    ]
    rows[0].refresh_from_db()
    assert rows[0].reason == "Wrong <b>month</b>."
    assert {entry[1] for entry in entries()} == {str(each.pk) for each in rows[:3]}


def test_where_nothing_is_open_nobody_is_asked(canceller, make):
    said = act(canceller, "cancel_selected", make("failed"), make("succeeded"))

    assert said == ["warning: 2 executions had ended already, and stay as they are."]


def test_a_reason_that_is_too_long_is_asked_for_again(canceller, make):
    execution = make()
    before = state()

    response = confirm_raw(canceller, ask(canceller, execution), reason="x" * 201)

    assert response.context["form"].errors.keys() == {"reason"}
    assert response.context["ids"] == str(execution.pk)
    assert state() == before


@pytest.mark.parametrize("ids", ["", "x", "-1", "9" * 30, "1;2", "\N{ARABIC-INDIC DIGIT ONE}"])
def test_ids_that_make_no_sense_cancel_nothing(canceller, make, ids):
    make()
    before = state()

    assert canceller.post(CANCEL_SEVERAL, {"ids": ids, "reason": ""}).status_code == 302
    assert state() == before


def test_nothing_is_cancelled_by_reading_an_address(canceller, make):
    execution = make()

    assert canceller.get(CANCEL_SEVERAL, {"ids": execution.pk, "reason": ""}).status_code == 405
    assert JobExecution.objects.get().status == "queued"


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

    response = confirm_raw(superuser, ask(superuser, waiting[0], query="?status__exact=queued", select_across="1"))

    assert messages_of(response) == ["success: 3 executions were cancelled."]
    assert response.redirect_chain == [(f"{EXECUTIONS}?status__exact=queued", 302)]
    runs.refresh_from_db()
    assert runs.cancel_requested_at is None


def test_everything_is_what_the_pages_show_and_not_what_is_older(superuser, make, monkeypatch):
    monkeypatch.setattr(WindowPaginator, "size", 2)
    rows = [make("failed") for _ in range(3)]

    said = act(superuser, "run_selected_again", rows[2], select_across="1")

    assert said == ["success: 2 executions were queued."]
    reruns = JobExecution.objects.filter(trigger="retry").order_by("pk")
    assert list(reruns.values_list("retry_of_id", flat=True)) == [rows[1].pk, rows[2].pk]


def test_several_pages_are_run_again_at_once(superuser, make):
    rows = [make("failed") for _ in range(60)]

    said = act(superuser, "run_selected_again", rows[0], select_across="1")

    assert said == ["success: 60 executions were queued."]
    reruns = JobExecution.objects.filter(trigger="retry").order_by("pk")
    assert list(reruns.values_list("retry_of_id", flat=True)) == [each.pk for each in rows]
