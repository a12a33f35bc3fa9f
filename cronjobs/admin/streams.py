"""Answers that are sent while they are made, in constant memory under WSGI and under ASGI."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse


def streamed(request: HttpRequest, pieces: Iterator[str], *, content_type: str, filename: str) -> StreamingHttpResponse:
    """Return an answer that a browser saves under that name; `pieces` may read the database."""
    # Under ASGI, Django would first gather all that a plain iterator has.
    content = _apart(pieces) if isinstance(request, ASGIRequest) else pieces
    response = StreamingHttpResponse(content, content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="{filename}"'
    # What a job has said may look like a page to a browser.
    response["X-Content-Type-Options"] = "nosniff"
    # A proxy that waits for the end would undo it.
    response["X-Accel-Buffering"] = "no"
    return response


async def _apart(pieces: Iterator[str]) -> AsyncIterator[str]:
    """Yield the pieces, each made in the thread that may use the database."""
    following = sync_to_async(lambda: next(pieces, None))
    while (piece := await following()) is not None:
        yield piece
