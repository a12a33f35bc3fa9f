"""Job definitions that are there for one test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from cronjobs.exceptions import InvalidDefinition
from cronjobs.models import Job
from cronjobs.registry import JobDefinition, job, registry

Declare = Callable[..., Callable[[Callable[..., Any]], JobDefinition]]


@contextmanager
def temporary_jobs() -> Iterator[Declare]:
    """Yield a decorator as ``@job`` is one, whose definitions, each with its job, are forgotten at the end.

    Unlike ``@job`` it raises `InvalidDefinition` for a mistake, a name that is taken included.
    """
    made: list[str] = []

    def declare(name: str, **options: Any) -> Callable[[Callable[..., Any]], JobDefinition]:
        def register(func: Callable[..., Any]) -> JobDefinition:
            if name in registry:
                raise InvalidDefinition(f"There is a job definition {name!r} already.")
            definition = job(name, **options)(func)
            if registry.get(name) is not definition:
                raise InvalidDefinition(registry.problems.pop().message)
            made.append(name)
            Job.objects.ensure([definition])
            return definition

        return register

    try:
        yield declare
    finally:
        for name in made:
            registry.remove(name)
