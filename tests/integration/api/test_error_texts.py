"""What an answer says of what went wrong inside: nothing that a stranger should not read, in debug mode as well."""

from __future__ import annotations

import logging

import pytest
from django.db import DataError, connection, transaction
from django.test import Client
from django.urls import path
from rest_framework.response import Response

from cronjobs.api.site.probes import ProbeView
from cronjobs.models import Job
from tests.integration.api.callers import assert_error

pytestmark = pytest.mark.django_db

SECRET = "hunter2hunter2"


class Speechless(Exception):
    """An error that cannot even be said."""

    def __str__(self):
        raise RuntimeError(SECRET)


def fail():
    raise RuntimeError(f"password={SECRET}")


def fail_speechless():
    raise Speechless


def chain_errors():
    try:
        fail()
    except RuntimeError as error:
        raise DataError(f"SELECT '{SECRET}'") from error


def ask_what_the_database_cannot_answer():
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT 'hunter2hunter2' FROM nowhere_at_all")


def break_a_rule():
    with transaction.atomic():
        Job.objects.create(name=SECRET, definition="noop")
        Job.objects.create(name=SECRET, definition="noop")


BREAKING = {each.__name__: each for each in (fail, fail_speechless, chain_errors, break_a_rule)}
BREAKING["ask"] = ask_what_the_database_cannot_answer


class BrokenView(ProbeView):
    """Answers anybody, as badly as it is asked to."""

    def get(self, request, how):
        BREAKING[how]()
        return Response()


urlpatterns = [path("cron/broken/<how>", BrokenView.as_view())]


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize("how", BREAKING)
def test_an_answer_carries_no_traceback_no_sql_and_no_secret(settings, caplog, how, debug):
    settings.ROOT_URLCONF, settings.DEBUG = __name__, debug

    with caplog.at_level(logging.ERROR, logger="cronjobs.api"):
        answer = Client().get(f"/cron/broken/{how}")

    # SQLite calls a table that is missing an operational error.
    status = answer.status_code
    assert_error(answer, status, {500: "internal_error", 503: "database_unavailable"}[status])
    for telling in (SECRET, "Traceback", "File ", "SELECT", "nowhere", "UNIQUE", "cronjobs_job", "Error"):
        assert telling not in answer.content.decode()
    # Whoever runs the site finds it in the log.
    assert [record for record in caplog.records if record.name == "cronjobs.api.errors"]
