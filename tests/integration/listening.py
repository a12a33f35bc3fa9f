"""Observers that write down what they are told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.dispatch import Signal

from cronjobs import events

NAMES = ("execution_started", "execution_finished", "execution_retried", "execution_lost")


@contextmanager
def listening(*names: str) -> Iterator[list[tuple[str, int, str]]]:
    """Listen to the events of those names (none: all); yield the list of event, execution's id and status as told."""
    heard: list[tuple[str, int, str]] = []
    listeners: list[tuple[Signal, Any]] = []

    def listen_to(name: str) -> None:
        def listener(*, execution: Any, **_: Any) -> None:
            heard.append((name, execution.pk, str(execution.status)))

        event: Signal = getattr(events, name)
        event.connect(listener)
        listeners.append((event, listener))

    try:
        for name in names or NAMES:
            listen_to(name)
        yield heard
    finally:
        for event, listener in listeners:
            event.disconnect(listener)
