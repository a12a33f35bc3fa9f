"""The description of the API: complete, valid, and the same wherever it is asked for."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
import yaml
from django.test import Client
from django.urls import include, path
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.settings import SPECTACULAR_DEFAULTS, spectacular_settings
from drf_spectacular.validation import validate_schema

from cronjobs.api.errors import ErrorCode
from cronjobs.api.jobs.columns import JOB_KEYS, NEW_JOB_KEYS, PAUSE_KEYS, QUEUE_KEYS
from cronjobs.api.openapi import generating
from cronjobs.api.urls import urlpatterns as routes
from tests.integration.api.callers import Caller, assert_error, grant
from tests.integration.api.contract import conforms, description

pytestmark = pytest.mark.sqlite_only

# The API once more, mounted elsewhere.
urlpatterns = [path("a b/{x}/", include("cronjobs.api.urls"))]


def operations():
    """Return every operation with the path and the method it is described under."""
    return [
        (where, method, operation)
        for where, methods in description()["paths"].items()
        for method, operation in methods.items()
    ]


def test_every_route_is_described_with_every_method():
    by_view = {key: operation.id for key, operation in generating.OPERATIONS.items()}
    routed = {
        (route.callback.cls, method.upper())
        for route in routes
        if route.name
        for method in route.callback.cls.http_method_names
        if method != "head" and hasattr(route.callback.cls, method)
    }

    assert set(by_view) == routed
    assert sorted(by_view.values()) == sorted(operation["operationId"] for _, _, operation in operations())
    assert len({operation["operationId"] for _, _, operation in operations()}) == len(operations())


def test_every_route_is_described_under_its_own_path():
    examples = {"executionId": "4711", "name": "noop"}
    found = {where.format(**examples) for where, _, _ in operations()}

    views = {route.resolve(each.removeprefix("/cron/")).func.cls for each in found for route in [_route(each)]}
    assert views == {route.callback.cls for route in routes if route.name}


def _route(where):
    return next(each for each in routes if each.resolve(where.removeprefix("/cron/")))


def test_it_is_valid_and_made_without_a_warning(capfd):
    generating._relative_document.cache_clear()

    document = generating.api_document("/cron/")

    assert document["openapi"].startswith("3.1")
    validate_schema(document)
    assert (GENERATOR_STATS._warn_cache, GENERATOR_STATS._error_cache) == ({}, {})
    assert capfd.readouterr() == ("", "")


def test_every_link_leads_to_an_operation_and_gives_it_its_parameters():
    known = {operation["operationId"]: operation for _, _, operation in operations()}
    links = [
        link
        for _, _, operation in operations()
        for response in operation["responses"].values()
        for link in response.get("links", {}).values()
    ]

    assert len(links) > 50
    for link in links:
        target = known[link["operationId"]]
        needed = {each["name"] for each in target["parameters"] if each["in"] == "path"}
        assert set(link["parameters"]) == needed


def test_every_example_is_what_it_is_an_example_of():
    seen = 0
    for where, method, operation in operations():
        pointer = f"/paths/{where.replace('/', '~1')}/{method}"
        bodies = [(f"{pointer}/requestBody", operation.get("requestBody", {}))]
        bodies += [(f"{pointer}/responses/{status}", each) for status, each in operation["responses"].items()]
        for place, body in bodies:
            for media_type, content in body.get("content", {}).items():
                for example in content.get("examples", {}).values():
                    conforms(example["value"], f"{place}/content/{media_type.replace('/', '~1')}/schema")
                    seen += 1
        for number, parameter in enumerate(operation.get("parameters", ())):
            for example in parameter.get("examples", {}).values():
                conforms(example["value"], f"{pointer}/parameters/{number}/schema")
                seen += 1
    assert seen > 200


def test_every_answer_that_is_a_document_has_an_example():
    for _, _, operation in operations():
        for status, response in operation["responses"].items():
            for content in response.get("content", {}).values():
                is_document = not {"$ref", "allOf", "anyOf"}.isdisjoint(content["schema"])
                assert ("examples" in content) == is_document, (operation["operationId"], status)


@pytest.mark.parametrize(
    ("component", "keys", "needed"),
    [
        ("NewJob", NEW_JOB_KEYS, ["definition", "name"]),
        ("JobChanges", JOB_KEYS, []),
        ("Pause", PAUSE_KEYS, []),
        ("QueueChanges", QUEUE_KEYS, []),
        ("Order", ("params", "wait"), []),
        ("Cancellation", ("reason",), []),
    ],
)
def test_bodies_have_the_keys_that_are_read(component, keys, needed):
    schema = description()["components"]["schemas"][component]

    assert set(schema["properties"]) == set(keys)
    assert schema.get("required", []) == needed
    assert schema["additionalProperties"] is False


def test_every_document_has_known_keys_only():
    schemas = dict(description()["components"]["schemas"])

    # What a check has found differs from one to the next.
    assert schemas.pop("Check")["additionalProperties"] is True
    for name, schema in schemas.items():
        assert schema["type"] == "string" or schema["additionalProperties"] is False, name


def test_every_error_has_a_code_that_is_described():
    codes = description()["components"]["schemas"]["ErrorCode"]

    assert codes["enum"] == [each for each in ErrorCode if each.status >= 400]
    assert all(each in codes["description"] for each in codes["enum"])
    described = {
        code
        for _, _, operation in operations()
        for status, response in operation["responses"].items()
        if int(status) >= 400
        for refusal in _alternatives(response["content"]["application/json"]["schema"])
        for code in refusal["allOf"][1]["properties"]["code"]["enum"]
    }
    # No operation is an address that is not there, or a method that an address does not know.
    assert set(codes["enum"]) - described == {"not_found", "method_not_allowed"}


def _alternatives(schema):
    return schema.get("anyOf", [schema])


def test_every_address_but_the_probes_says_who_may_ask():
    opened = {operation["operationId"] for _, _, operation in operations() if "security" not in operation}
    assert opened == {"isLive", "isReady"}

    schemes = description()["components"]["securitySchemes"]
    for _, method, operation in operations():
        for alternative in operation.get("security", ()):
            assert set(alternative) <= set(schemes)
            assert ("csrf" in alternative) == ("session" in alternative and method != "get")
        assert ("401" in operation["responses"]) == ("security" in operation)


@pytest.fixture
def viewer(django_user_model: Any) -> Caller:
    """Somebody who may look at jobs."""
    user = django_user_model.objects.create_user("vera")
    grant(user, "view_job")
    return Caller(user)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("query", "accept", "media_type"),
    [
        ("", None, "application/json"),
        ("", "*/*", "application/json"),
        ("", "text/html", "application/json"),
        ("", "application/yaml", "application/yaml"),
        ("", "application/json;q=0.5, application/yaml", "application/yaml"),
        ("", "application/vnd.oai.openapi+json", "application/vnd.oai.openapi+json"),
        ("", "application/vnd.oai.openapi", "application/vnd.oai.openapi"),
        ("?format=yaml", "application/json", "application/yaml"),
        ("?format=json", "application/yaml", "application/json"),
    ],
)
@pytest.mark.parametrize("slash", ["", "/"])
def test_it_is_told_as_json_or_yaml(viewer, query, accept, media_type, slash):
    answer = viewer.get(f"/cron/schema{slash}{query}", **({} if accept is None else {"Accept": accept}))

    assert (answer.status_code, answer["Content-Type"]) == (200, media_type)
    assert (answer["Vary"], answer["Cache-Control"]) == ("Accept", "no-store")
    read = json.loads if media_type.endswith("json") else yaml.safe_load
    assert read(answer.content) == description()


@pytest.mark.django_db
@pytest.mark.parametrize("query", ["format=xml", "format=", "format=json&format=yaml", "lang=de"])
def test_what_it_is_not_told_as_is_refused(viewer, query):
    found = assert_error(viewer.get(f"/cron/schema?{query}"), 400, "invalid_parameters")

    assert set(found["errors"]) == {query.partition("=")[0]}


@pytest.mark.django_db
def test_it_speaks_of_the_addresses_where_they_are(viewer, settings):
    settings.ROOT_URLCONF = __name__

    answer = Client(SCRIPT_NAME="/site").get("/a b/{x}/schema", headers=viewer._headers)

    assert set(answer.json()["paths"]) == {
        where.replace("/cron/", "/site/a%20b/%7Bx%7D/") for where in description()["paths"]
    }


@pytest.mark.django_db
def test_the_page_is_told_as_html_without_anything_from_elsewhere(viewer):
    answer = viewer.get("/cron/docs")

    page = answer.content.decode()
    assert answer["Content-Type"] == "text/html; charset=utf-8"
    assert 'data-schema="/cron/schema"' in page
    assert "//" not in page.replace("</", "").replace("<!doctype", "")


@pytest.mark.django_db
def test_without_the_sidecar_the_page_says_what_to_install(viewer, settings):
    settings.INSTALLED_APPS = [each for each in settings.INSTALLED_APPS if each != "drf_spectacular_sidecar"]

    assert "INSTALLED_APPS" in assert_error(viewer.get("/cron/docs"), 501, "not_installed")["error"]
    assert viewer.get("/cron/schema").status_code == 200


def test_threads_that_ask_at_once_get_the_same_and_leave_no_trace():
    generating._relative_document.cache_clear()
    found = []
    threads = [threading.Thread(target=lambda: found.append(generating.api_document("/cron/"))) for _ in range(4)]

    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert found == [description()] * 4
    now = {name: getattr(spectacular_settings, name) for name in ("TITLE", "OAS_VERSION", "SORT_OPERATIONS")}
    assert now == {name: SPECTACULAR_DEFAULTS[name] for name in now}
