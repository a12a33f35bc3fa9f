"""What the pages and the API tell of an execution that Celery performs."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from cronjobs.models import JobExecution
from cronjobs.models.moves import begin
from tests.integration.celery_shown.conftest import dispatched

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("with_celery", "node")]

WORKER = "celery@box-1:5150"
EXECUTIONS = "/admin/cronjobs/jobexecution/"


def text_of(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200, response
    return " ".join(re.sub(r"<[^>]*>", " ", response.content.decode()).split())


@pytest.fixture
def execution(make_job: Any) -> JobExecution:
    make_job("noop")
    return JobExecution.objects.request("noop")


def test_pages_tell_what_it_waits_for_and_when_it_was_handed_over(admin_client, execution):
    page = f"{EXECUTIONS}{execution.pk}/change/"
    assert "waits for: Its dispatch to Celery" in text_of(admin_client, EXECUTIONS)
    assert "Waits for Its dispatch to Celery" in text_of(admin_client, page)
    assert "Handed to the broker" not in text_of(admin_client, page)

    (row,) = dispatched()
    assert "waits for: A Celery worker" in text_of(admin_client, EXECUTIONS)
    assert "Waits for A Celery worker" in text_of(admin_client, page)
    assert "no Celery worker that is alive serves queue default" in text_of(admin_client, page)
    assert "Handed to the broker" in text_of(admin_client, page)

    begin(row.pk, row.claim_token, node=WORKER)
    assert "aits for" not in text_of(admin_client, EXECUTIONS) + text_of(admin_client, page)
    assert "Handed to the broker" in text_of(admin_client, page)


def test_the_history_can_be_narrowed_to_one_worker(admin_client, make_worker, execution):
    make_worker(WORKER)
    (row,) = dispatched()
    begin(row.pk, row.claim_token, node=WORKER)

    assert f"By node All web-1:4711 {WORKER}" in text_of(admin_client, EXECUTIONS)
    link = f'href="{EXECUTIONS}{row.pk}/change/'
    assert link in admin_client.get(EXECUTIONS, {"node": WORKER}).content.decode()
    assert link not in admin_client.get(EXECUTIONS, {"node": "web-1:4711"}).content.decode()


def test_the_api_tells_the_same(admin_client, execution):
    def told() -> tuple[Any, bool, Any]:
        document = admin_client.get(f"/cron/executions/{execution.pk}").json()
        return document["waitsFor"], document["dispatchedAt"] is not None, document["waitsBecause"]

    assert told()[:2] == ("dispatch", False)

    (row,) = dispatched()
    waits_for, is_dispatched, reason = told()
    assert (waits_for, is_dispatched) == ("worker", True)
    assert reason.startswith("It is with the broker since ")

    begin(row.pk, row.claim_token, node=WORKER)
    assert told() == (None, True, None)


def test_what_a_node_is_to_perform_says_so(admin_client, settings, make_job):
    settings.CRONJOBS = {}
    make_job("noop")
    waiting = JobExecution.objects.request("noop")

    assert admin_client.get(f"/cron/executions/{waiting.pk}").json()["waitsFor"] == "node"
    assert "aits for" not in text_of(admin_client, EXECUTIONS)
