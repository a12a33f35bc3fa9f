"""Cancelling and running again what is chosen in the list of executions, and what is said of how many."""

from __future__ import annotations

import pytest

from cronjobs.admin.executions import actions
from cronjobs.admin.windows import WindowPaginator
from cronjobs.models import JobExecution
from tests.integration.admin.interventions.buttons import CANCEL_SEVERAL, act, ask, confirm, confirm_raw, entries, state
from tests.integration.admin.pages import EXECUTIONS, messages_of, text_of

pytestmark = pytest.mark.django_db


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
