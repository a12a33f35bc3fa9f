"""Makes the description: one document of all addresses, made once in a process and kept."""

from __future__ import annotations

import threading
from functools import cache
from typing import Any

from django.utils.encoding import escape_uri_path
from django.utils.translation import override
from drf_spectacular.generators import EndpointEnumerator, SchemaGenerator
from drf_spectacular.renderers import OpenApiYamlRenderer
from drf_spectacular.settings import SPECTACULAR_DEFAULTS, patched_settings
from rest_framework.schemas.generators import BaseSchemaGenerator

from cronjobs.api.openapi.addresses import executions, figures, jobs, site
from cronjobs.api.openapi.describing import Description
from cronjobs.api.openapi.operations import Operations
from cronjobs.api.openapi.security import csrf_header, security_schemes
from cronjobs.api.rendering import StrictJSONRenderer
from cronjobs.api.urls import urlpatterns

_INTRODUCTION = """\
Jobs that run when their schedules say, what they did, and what is to be done with them.

Every address works with and without a trailing slash. Keys are camelCase, times RFC 3339 in UTC, durations `…Ms` or
`…Seconds`. `success` is false where a request was not served, and where it was, but the execution that it is about did
not succeed; `code` tells a program which, and `error` a person.
"""
_OWN: dict[str, Any] = {
    "OAS_VERSION": "3.1.0",
    "TITLE": "cronjobs",
    "DESCRIPTION": _INTRODUCTION,
    "VERSION": "1",
    "TAGS": [
        {"name": "State", "description": "What everything is doing."},
        {"name": "Jobs", "description": "What runs, and when."},
        {"name": "Executions", "description": "What ran, runs or waits."},
        {"name": "Queues", "description": "How much runs at once."},
        {"name": "Figures", "description": "How jobs did, for people and for monitors."},
        {"name": "Probes", "description": "Whether the site works; `live` and `ready` tell everybody."},
        {"name": "Description", "description": "What you are reading."},
    ],
    "POSTPROCESSING_HOOKS": [],
    "SORT_OPERATION_PARAMETERS": False,
    "COMPONENT_SPLIT_PATCH": False,
}
# Everything else as drf-spectacular has it, whatever the project's own description looks like.
_SETTINGS = {
    name: value
    for name, value in {**SPECTACULAR_DEFAULTS, **_OWN}.items()
    if not name.startswith("SERVE_") and name != "DEFAULT_GENERATOR_CLASS"
}
OPERATIONS: Operations = {**site.OPERATIONS, **figures.OPERATIONS, **jobs.OPERATIONS, **executions.OPERATIONS}

__all__ = ["OPERATIONS", "api_document", "csrf_header", "rendered"]

_lock = threading.Lock()


def api_document(mount: str) -> dict[str, Any]:
    """Return the description of the API that is mounted at the path `mount`, such as ``/cron/``."""
    # drf-spectacular has one set of settings for the whole process: no two threads may change them at once.
    with _lock:
        document = _relative_document()
    prefix = escape_uri_path(mount.rstrip("/"))
    return {**document, "paths": {f"{prefix}{path}": methods for path, methods in document["paths"].items()}}


def rendered(document: dict[str, Any], media_type: str) -> bytes:
    """Return the document as JSON, if the media type says so, or else as YAML."""
    # drf-spectacular's own JSON is three times as long, for the sake of its indentation.
    renderer = StrictJSONRenderer() if media_type.endswith("json") else OpenApiYamlRenderer()
    text: bytes = renderer.render(document)
    return text


@cache
def _relative_document() -> dict[str, Any]:
    """Return the description, with paths that begin where the API is mounted."""
    # What has no name is another way to write an address that has one.
    patterns = [each for each in urlpatterns if each.name]
    with patched_settings(_SETTINGS), override(None):
        document: dict[str, Any] = _Generator(patterns=patterns).get_schema(public=True)
    document["components"]["securitySchemes"] = security_schemes()
    return document


class _Endpoints(EndpointEnumerator):
    """The addresses as `docs/api.md` writes them, without the slash at the end."""

    def should_include_endpoint(self, path: str, callback: Any) -> bool:
        return True

    def get_path_from_regex(self, path_regex: str) -> str:
        path: str = super().get_path_from_regex(path_regex)
        return path.rstrip("/").replace("{pk}", "{executionId}")


class _Generator(SchemaGenerator):
    """Gives each view its description; the views themselves have none, and stay out of the project's."""

    endpoint_inspector_cls = _Endpoints

    def create_view(self, callback: Any, method: str, request: Any = None) -> Any:
        view: Any = BaseSchemaGenerator.create_view(self, callback, method, request)
        view.schema = Description(view, OPERATIONS[type(view), method])
        return view
