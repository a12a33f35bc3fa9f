"""Jobs that depend on each other, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cronjobs import RetryPolicy, job
from cronjobs.models import Job
from cronjobs.registry import registry
from tests.integration.conftest import MakeJob


@pytest.fixture(autouse=True)
def nothing_else(db: None) -> None:
    Job.objects.all().delete()


@pytest.fixture
def define(db: None) -> Iterator[Callable[..., Job]]:
    """Register definitions for one test, with their jobs."""
    names = []

    def make(name: str, func: Callable[..., Any] = lambda context: None, **options: Any) -> Job:
        definition = job(name, **{"retry": RetryPolicy(max_attempts=1), **options})(func)
        names.append(name)
        Job.objects.ensure([definition])
        return Job.objects.named(name)

    yield make
    for name in names:
        registry.remove(name)


@pytest.fixture
def diamond(make_job: MakeJob) -> Callable[..., None]:
    """extract, then left and right, then join."""

    def make(**definitions: str) -> None:
        for name, depends_on in (("extract", ""), ("left", "extract"), ("right", "extract"), ("join", "left, right")):
            make_job(definitions.get(name, "succeeds"), name=name, depends_on=depends_on)

    return make
