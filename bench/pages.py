"""Pages that are asked for within this process: the whole of Django, without a web server."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Watched:
    """The statements of one request, each with its parameters and how many milliseconds it took."""

    def __init__(self) -> None:
        self.statements: list[tuple[str, Any, float]] = []

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, *rest: Any) -> Any:
        begun = time.perf_counter()
        try:
            return execute(sql, params, *rest)
        finally:
            self.statements.append((sql, params, milliseconds_since(begun)))


def asker(user: Any, url: str) -> Callable[[], None]:
    """Return what asks for a page as `user`, and reads it; of what is sent piece by piece the first."""
    from django.test import Client

    client = Client(headers={"Host": "127.0.0.1"})
    client.force_login(user)

    def ask() -> None:
        answer: Any = client.get(url)
        if answer.status_code != 200:
            sys.exit(f"{url}: {answer.status_code}")
        next(iter(answer.streaming_content)) if answer.streaming else answer.content
        answer.close()

    return ask


@contextmanager
def watched() -> Iterator[Watched]:
    """Yield what all statements on this thread's connection are noted in meanwhile."""
    from django.db import connection

    seen = Watched()
    with connection.execute_wrapper(seen):
        yield seen


def milliseconds_since(begun: float) -> float:
    """Return how long ago `begun`, of `time.perf_counter`, is."""
    return round((time.perf_counter() - begun) * 1_000, 1)
