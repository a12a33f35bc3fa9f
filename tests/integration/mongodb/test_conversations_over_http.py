"""`GET stats/legacy-conversations`: what `conversation_stats --json` says."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import call_command

from cronjobs.models import ApiKey
from tests.integration.api.callers import Caller, assert_error, document, grant
from tests.integration.mongodb.evidence import UNREACHABLE, fill, raw

pytestmark = [pytest.mark.mongo, pytest.mark.django_db]

ADDRESS = "/cron/stats/legacy-conversations"


@pytest.fixture
def reader(django_user_model):
    """Somebody who may look at executions."""
    user = django_user_model.objects.create_user("rita")
    grant(user, "view_jobexecution")
    return Caller(user)


@pytest.mark.parametrize("slash", ["", "/"])
def test_it_says_what_the_command_says(mongodb, reader, slash):
    fill(mongodb, "conversation_states")
    before = raw(mongodb["conversation_states"])
    out = StringIO()
    call_command("conversation_stats", "--minutes", "30", "--json", stdout=out)

    found = document(reader.get(f"{ADDRESS}{slash}?minutes=30"))

    passing = dict.fromkeys(("cutoff", "timestamp"), "")
    assert {**found, **passing} == {"success": True, **json.loads(out.getvalue()), **passing}
    assert (found["total"], found["active"], found["inactive"]) == (3005, 1877, 1126)
    assert raw(mongodb["conversation_states"]) == before


def test_an_empty_database(mongodb, reader):
    found = document(reader.get(ADDRESS))

    assert [found[each] for each in ("total", "active", "inactive", "oldActive", "oldInactive")] == [0] * 5


@pytest.mark.parametrize("query", ["minutes=0", "minutes=-1", "minutes=x", "minutes=5256001", "minutes=", "now=x"])
def test_what_cannot_be_meant_is_refused(mongodb, reader, query):
    found = assert_error(reader.get(f"{ADDRESS}?{query}"), 400, "invalid_parameters")

    assert list(found["errors"]) == [query.partition("=")[0]]


def test_a_server_that_is_not_there_is_named_without_its_password(reader, settings):
    settings.CRONJOBS = {"MONGODB_URI": UNREACHABLE, "MONGODB_TIMEOUT": 0.1}

    answer = reader.get(ADDRESS)

    found = assert_error(answer, 503, "mongodb_unavailable")
    assert found["error"].startswith("MongoDB at 127.0.0.1:9 is not available: ")
    assert "s3cret" not in answer.content.decode()


def test_what_the_server_refuses_is_said_as_well(mongodb, mongodb_uri, reader, settings):
    settings.CRONJOBS = {"MONGODB_URI": f"{mongodb_uri}?readConcernLevel=nonsense"}

    assert "nonsense" in assert_error(reader.get(ADDRESS), 503, "mongodb_unavailable")["error"]


def test_an_address_that_cannot_be_read_is_not_repeated(reader, settings):
    settings.CRONJOBS = {"MONGODB_URI": "mongodb://ann:hunter2@[::/app"}

    answer = reader.get(ADDRESS)

    assert "MONGODB_URI" in assert_error(answer, 409, "mongodb_not_configured")["error"]
    assert "hunter2" not in answer.content.decode()


def test_without_a_mongodb_it_says_so(reader, settings):
    settings.CRONJOBS = {}

    assert "MONGODB_URI" in assert_error(reader.get(ADDRESS), 409, "mongodb_not_configured")["error"]


def test_only_for_those_who_may_view_executions(mongodb, django_user_model):
    assert_error(Caller().get(ADDRESS), 401, "not_authenticated")
    user = django_user_model.objects.create_user("vera")
    grant(user, "view_job")
    assert_error(Caller(user).get(ADDRESS), 403, "permission_denied")


def test_closed_to_keys_that_are_limited_to_some_jobs(mongodb, django_user_model):
    user = django_user_model.objects.create_user("rita")
    grant(user, "view_jobexecution")
    _, text = ApiKey.objects.issue(user=user, name="of a program", actions=["view_jobexecution"], jobs=["noop"])

    assert_error(Caller().get(ADDRESS, Authorization=f"Bearer {text}"), 403, "permission_denied")
