"""What a Celery worker's process does with a message when its database does not answer at once."""

from __future__ import annotations

import pytest
from django.db import connection

from cronjobs.executors.celery import worker
from cronjobs.models import JobExecution
from tests.integration.dispatching import CELERY, dispatched, request

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _celery(settings):
    settings.CRONJOBS = CELERY
    yield
    worker.Process.leave()


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has no connections to drop")
def test_a_connection_that_was_dropped_is_opened_again_and_the_message_is_not_wasted(make_job):
    make_job("counts")
    row = request("counts")
    (sent,) = dispatched()
    ours = connection.connection
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()" if connection.vendor == "postgresql" else "SELECT connection_id()")
        (pid,) = cursor.fetchone()
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute(f"SELECT pg_terminate_backend({pid})" if other.vendor == "postgresql" else f"KILL {pid}")
    other.close()
    assert connection.connection is ours

    worker.perform(sent.pk, sent.claim_token)

    row.refresh_from_db()
    assert (row.status, row.attempt) == ("succeeded", 1)


@pytest.mark.parametrize("message", [(None, None), ("1", "0" * 32), (True, "0" * 32), (1, "x"), (10**30, "0" * 32)])
def test_what_is_no_message_of_ours_is_refused_quietly(message):
    worker.perform(*message)

    assert not JobExecution.objects.exists()
