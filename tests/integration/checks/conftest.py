"""Fixtures for tests of system checks: they look at settings, definitions and the project, as `manage.py check` does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core import checks
from django.core.checks import CheckMessage

from cronjobs import job
from cronjobs.checks import DEPLOYMENT, STRICT
from cronjobs.registry import registry

Declare = Callable[..., None]
_TAGS = ("cronjobs", STRICT, DEPLOYMENT, checks.Tags.templates, checks.Tags.urls)


@pytest.fixture
def declare(monkeypatch: pytest.MonkeyPatch) -> Iterator[Declare]:
    """Register a function as the definition `name` for one test; nothing is made of it in the database."""
    monkeypatch.setattr(registry, "problems", [])
    names: list[str] = []

    def make(name: str, func: Callable[..., Any] = lambda context: None, **options: Any) -> None:
        job(name, **options)(func)
        names.append(name)

    yield make
    for name in names:
        registry.remove(name)


def found(*, deploy: bool = False, databases: list[str] | None = None) -> list[CheckMessage]:
    """Return what the app's own checks say, with those for a deployment if that is asked for."""
    messages = checks.run_checks(tags=_TAGS, include_deployment_checks=deploy, databases=databases)
    return [each for each in messages if str(each.id).startswith("cronjobs.")]


def ids(messages: list[CheckMessage]) -> set[str]:
    """Return which checks have something to say."""
    return {str(each.id) for each in messages}


def only(identity: str, messages: list[CheckMessage]) -> CheckMessage:
    """Return the one message of that check, of those that a test has provoked."""
    (message,) = [each for each in messages if each.id == identity]
    return message
