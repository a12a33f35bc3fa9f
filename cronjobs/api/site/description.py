"""The addresses of the API's description, which is made only when somebody asks, where the site can make it."""

from __future__ import annotations

from types import ModuleType
from typing import Final

from django.apps import apps
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from rest_framework.request import Request

from cronjobs import permissions
from cronjobs.api.requests.queries import Query, one_of
from cronjobs.api.views import CronView
from cronjobs.exceptions import NotInstalled

MEDIA_TYPES: Final = (
    "application/json",
    "application/yaml",
    "application/vnd.oai.openapi+json",
    "application/vnd.oai.openapi",
)
_SIDECAR: Final = "drf_spectacular_sidecar"


class SchemaView(CronView):
    """``GET schema``: the API as OpenAPI 3.1, in JSON or YAML, as ``?format=`` says, or else ``Accept``."""

    permissions = (permissions.VIEW_JOBS,)
    takes_limited_keys = True

    def get(self, request: Request) -> HttpResponseBase:
        query = Query(request, known=("format",))
        wanted = query.read("format", one_of(("json", "yaml")), default="")
        query.done()
        room = _room()
        media_type = f"application/{wanted}" if wanted else request.get_preferred_type(MEDIA_TYPES) or MEDIA_TYPES[0]
        text = room.rendered(room.api_document(_mount(request, "schema")), media_type)
        return HttpResponse(text, content_type=media_type, headers={"Vary": "Accept"})


class DocsView(CronView):
    """``GET docs``: the description as a page, from which requests can be sent as the user who has logged in."""

    permissions = (permissions.VIEW_JOBS,)
    takes_limited_keys = True

    def get(self, request: Request) -> HttpResponseBase:
        room = _room()
        if not apps.is_installed(_SIDECAR):
            raise NotInstalled(f"The page of the description needs {_SIDECAR!r} in INSTALLED_APPS.")
        context = {"schema": f"{_mount(request, 'docs')}schema", "csrf_header": room.csrf_header()}
        return render(request, "cronjobs/docs.html", context)


def _room() -> ModuleType:
    """Return the room that knows drf-spectacular; raise `NotInstalled`."""
    try:
        from cronjobs.api.openapi import generating
    except ModuleNotFoundError as error:
        if error.name != "drf_spectacular":
            raise
        raise NotInstalled("The description needs drf-spectacular: pip install 'cronjobs[openapi]'.") from error
    return generating


def _mount(request: Request, name: str) -> str:
    """Return the path at which the API is mounted, from that of its address `name`."""
    path: str = request.path
    return path.rstrip("/").removesuffix(name)
