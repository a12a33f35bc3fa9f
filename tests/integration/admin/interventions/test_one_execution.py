"""Cancelling an execution and running it again, on its page in the admin: what happens, and what is said about it."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry

from cronjobs.models import Job, JobExecution
from tests.integration.admin.interventions.buttons import entries, press, state, url_of
from tests.integration.admin.pages import EXECUTIONS, change_url, get, messages_of, text_of

pytestmark = pytest.mark.django_db


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
