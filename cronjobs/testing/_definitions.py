"""Job definitions that are there for one test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections

from cronjobs.exceptions import InvalidDefinition
from cronjobs.models import Job
from cronjobs.registry import JobDefinition, job, registry

Declare = Callable[..., Callable[[Callable[..., Any]], JobDefinition]]


@contextmanager
def temporary_jobs() -> Iterator[Declare]:
    """Yield a decorator as ``@job`` is one, whose definitions are forgotten at the end, and their jobs deleted.

    History of them stays, where the test's transaction does not undo it. Unlike ``@job`` it raises `InvalidDefinition` for a mistake, a name that is taken included.
    """
    made: list[str] = []

    def declare(name: str, **options: Any) -> Callable[[Callable[..., Any]], JobDefinition]:
        def register(func: Callable[..., Any]) -> JobDefinition:
            if name in registry:
                raise InvalidDefinition(f"There is a job definition {name!r} already.")
            definition = job(name, **options)(func)
            if registry.get(name) is not definition:
                raise InvalidDefinition(registry.take_problem(name))
            made.append(name)
            Job.objects.ensure([definition])
            return definition

        return register

    try:
        yield declare
    finally:
        for name in made:
            registry.remove(name)
        if made:
            _delete_jobs(made)


def _delete_jobs(definitions: list[str]) -> None:
    """Delete the jobs of what is forgotten; where the test has broken its transaction, that undoes them."""
    connection = connections[Job.objects.db]
    if not (connection.in_atomic_block and connection.needs_rollback):
        Job.objects.filter(definition__in=definitions).delete()
