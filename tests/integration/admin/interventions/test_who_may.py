"""Who may cancel and run again in the admin, and where that is offered."""

from __future__ import annotations

import pytest
from django.test import Client

from cronjobs.models import JobExecution
from cronjobs.states import FINAL
from tests.integration.admin.interventions.buttons import CANCEL_SEVERAL, state, url_of
from tests.integration.admin.interventions.conftest import PEOPLE, client_of
from tests.integration.admin.pages import EXECUTIONS, change_url, get

pytestmark = pytest.mark.django_db


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
