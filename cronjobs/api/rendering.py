"""What goes over the wire: JSON that the strictest parser accepts, whatever the request says or asks for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request

from cronjobs.storable import storable_json


class StrictJSONRenderer(JSONRenderer):
    """JSON in UTF-8, without NaN; a value that JSON or UTF-8 cannot say becomes text."""

    ensure_ascii = False
    strict = True

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> Any:
        try:
            return super().render(data, accepted_media_type, renderer_context)
        except (ValueError, TypeError):
            return super().render(storable_json(data), accepted_media_type, renderer_context)


class Unparsed(BaseParser):
    """Leaves the body to the view, which says what is wrong with it; sessions' CSRF tokens come in a header."""

    media_type = "*/*"

    def parse(
        self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        return {}


class JSONOnly(BaseContentNegotiation):
    """Answers JSON to everybody: a client that accepts something else is served all the same."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser:
        return next(iter(parsers))

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, str(renderer.media_type)
