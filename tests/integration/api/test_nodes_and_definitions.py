"""`GET nodes` and `GET definitions`: who is there, and what there is to run."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

import pytest
from django import forms
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cronjobs import AlertPolicy, RetryPolicy
from cronjobs.api.site import nodes
from cronjobs.conf import get_settings
from cronjobs.models import Node
from cronjobs.registry import registry
from tests.integration.api.callers import assert_error, document

pytestmark = pytest.mark.django_db


@pytest.fixture
def beat(database_now):
    """Record a node that was last heard of some leases ago."""

    def make(name, *, leases_ago=0.0, **columns):
        at = database_now - leases_ago * get_settings().lease
        return Node.objects.create(
            **{
                "name": name,
                "hostname": "host",
                "pid": 7,
                "version": "1.2",
                "workers": 8,
                "running": 3,
                "started_at": at,
                "heartbeat_at": at,
                "last_tick_at": at,
                **columns,
            }
        )

    return make


@pytest.mark.parametrize("slash", ["", "/"])
def test_nodes_by_their_state(viewer, beat, database_now, slash):
    beat("silent", leases_ago=2)
    beat("alive", rss_bytes=2**20)
    beat("stopped", leases_ago=0.5, stopped_at=database_now)

    found = document(viewer.get(f"/cron/nodes{slash}"))

    assert [(each["name"], each["state"]) for each in found["nodes"]] == [
        ("alive", "alive"),
        ("stopped", "stopped"),
        ("silent", "silent"),
    ]
    assert not any("memory" in each for each in found["nodes"][0])
    assert found["isCut"] is False
    alive, stopped, _ = found["nodes"]
    [in_status] = document(viewer.get("/cron/status"))["nodes"]
    assert alive == {**in_status, "stoppedAt": None, "rssBytes": 2**20}
    assert (alive["version"], alive["running"], alive["workers"]) == ("1.2", 3, 8)
    assert stopped["stoppedAt"]


def test_of_many_nodes_the_last_are_shown_in_as_many_queries(viewer, beat, monkeypatch):
    monkeypatch.setattr(nodes, "MOST", 2)
    beat("a")
    with CaptureQueriesContext(connection) as few:
        viewer.get("/cron/nodes")
    beat("b", leases_ago=2)
    beat("c", leases_ago=1.5)

    with CaptureQueriesContext(connection) as many:
        found = document(viewer.get("/cron/nodes"))

    assert ([each["name"] for each in found["nodes"]], found["isCut"]) == (["a", "c"], True)
    assert len(few) == len(many)


@pytest.mark.parametrize("address", ["nodes", "definitions"])
def test_no_parameter_is_known(viewer, address):
    found = assert_error(viewer.get(f"/cron/{address}?name=a"), 400, "invalid_parameters")

    assert found["errors"] == {"name": ["There is no such parameter; known: none."]}


def definition_of(viewer, name):
    return document(viewer.get("/cron/definitions"))["definitions"][name]


@pytest.mark.parametrize("slash", ["", "/"])
def test_every_definition_is_told(viewer, slash):
    found = document(viewer.get(f"/cron/definitions{slash}"))["definitions"]

    assert list(found) == [each.name for each in registry]
    assert found["health-check"]["schedule"] == "*/10 * * * *"
    assert found["health-check"]["scheduleDescription"]
    assert found["health-check"]["available"] is True
    assert found["noop"]["schedule"] is None
    assert found["noop"]["description"] == "Do nothing, side by side."
    assert found["noop"]["parameters"] == {
        "type": "object",
        "properties": {},
        "required": [],
        "additionalProperties": False,
    }


def test_defaults_are_those_of_the_code(viewer, define):
    options = {"timeout": 90, "memory_limit": "1K", "rate_limit": "10/m", "queue": "heavy", "priority": "high"}
    name = define(
        lambda context: None,
        retry=RetryPolicy(max_attempts=2, max_delay=None),
        depends_on="noop:failure",
        jitter=timedelta(seconds=1.5),
        catch_up="all",
        alerts=AlertPolicy(on="lost", expected_duration=5),
        ping_url="https://hc.example.com/a-secret",
        only_if=lambda: False,
        **options,
    )

    found = definition_of(viewer, name)

    assert found["available"] is False
    assert found["defaults"] == {
        "queue": "heavy",
        "priority": 4,
        "overlap": "forbid",
        "maxInstances": None,
        "jitterSeconds": 1.5,
        "misfireGraceSeconds": None,
        "catchUp": "all",
        "rerunLost": False,
        "executor": None,
        "timeoutSeconds": 90,
        "cpuLimitSeconds": None,
        "memoryLimitBytes": 1024,
        "rateLimit": "10/m",
        "dependsOn": {"noop": "failure"},
        "alertOn": ["lost"],
        "alertTo": None,
        "alertAfter": None,
        "lateAfterSeconds": None,
        "expectedDurationSeconds": 5,
        "noSuccessAfterSeconds": None,
        "pingUrl": "https://hc.example.com/***",
        "runbookUrl": None,
        "retry": {
            "maxAttempts": 2,
            "initialDelaySeconds": 1,
            "maxDelaySeconds": None,
            "backoffMultiplier": 2.0,
            "jitter": 0.1,
        },
    }


class EveryField(forms.Form):
    """A field of each kind."""

    days = forms.IntegerField(min_value=1, max_value=9, label="Days back", help_text="How far.")
    share = forms.DecimalField(required=False, initial=0.5)
    at = forms.DateTimeField(required=False)
    kind = forms.ChoiceField(choices=[("a", "A"), ("Group", [("b", "B")])], initial="a")
    several = forms.MultipleChoiceField(choices=[(1, "One")], required=False)
    dynamic = forms.ChoiceField(choices=lambda: pytest.fail("It is asked for."), required=False)
    anything = forms.JSONField(required=False)
    name = forms.CharField(max_length=5, initial=lambda: "x")
    password = forms.CharField(initial="hunter2")
    force = forms.BooleanField(required=False)


def test_parameters_of_a_form(viewer, define):
    name = define(lambda context, **params: None, params_form=EveryField, params={"days": 3})

    schema = definition_of(viewer, name)["parameters"]

    assert schema["properties"] == {
        "days": {
            "type": "integer",
            "minimum": 1,
            "maximum": 9,
            "title": "Days back",
            "description": "How far.",
            "default": 3,
        },
        "share": {"type": "number", "default": 0.5},
        "at": {"type": "string", "format": "date-time"},
        "kind": {"enum": ["a", "b"], "default": "a"},
        "several": {"type": "array", "items": {"enum": [1]}},
        "dynamic": {},
        "anything": {},
        "name": {"type": "string", "maxLength": 5},
        "password": {"type": "string", "default": "***"},
        "force": {"type": "boolean"},
    }
    # The others have a value already.
    assert schema["required"] == []
    assert schema["additionalProperties"] is False


def test_a_signature_whose_types_cannot_be_read_still_has_names(viewer, define):
    def takes(context, days, *rest, odd=None):
        """Take something of a type that is imported for type checkers only."""

    takes.__annotations__["odd"] = "Missing"
    name = define(takes)

    assert definition_of(viewer, name)["parameters"] == {
        "type": "object",
        "properties": {"days": {}, "odd": {"default": None}},
        "required": ["days"],
        "additionalProperties": False,
    }


def test_parameters_of_a_signature(viewer, define):
    def takes(
        context: object,
        days: int,
        *,
        kind: Literal["a", "b"] = "a",
        size: float | None = None,
        tags: list[str] | None = None,
        **others: str,
    ) -> None:
        """Take many things, and more."""

    name = define(takes)

    assert definition_of(viewer, name)["parameters"] == {
        "type": "object",
        "properties": {
            "days": {"type": "integer"},
            "kind": {"enum": ["a", "b"], "default": "a"},
            "size": {"anyOf": [{"type": "number"}, {"type": "null"}], "default": None},
            "tags": {"anyOf": [{"type": "array"}, {"type": "null"}], "default": None},
        },
        "required": ["days"],
        "additionalProperties": True,
    }


def test_the_number_of_queries_does_not_grow_with_the_definitions(viewer):
    with CaptureQueriesContext(connection) as queries:
        viewer.get("/cron/definitions")

    assert not [each["sql"] for each in queries if 'FROM "cronjobs_' in each["sql"]]
