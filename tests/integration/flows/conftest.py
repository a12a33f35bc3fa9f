"""Jobs that depend on each other, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cronjobs import RetryPolicy
from cronjobs.models import Job
from cronjobs.testing._definitions import Declare
from tests.integration.conftest import MakeJob


@pytest.fixture(autouse=True)
def nothing_else(db: None) -> None:
    Job.objects.all().delete()


@pytest.fixture
def define(cronjobs_job: Declare) -> Callable[..., Job]:
    """Register definitions for one test, by default with one attempt, and make their jobs."""

    def make(name: str, func: Callable[..., Any] = lambda context: None, **options: Any) -> Job:
        cronjobs_job(name, **{"retry": RetryPolicy(max_attempts=1), **options})(func)
        return Job.objects.named(name)

    return make


@pytest.fixture
def diamond(make_job: MakeJob) -> Callable[..., None]:
    """extract, then left and right, then join."""

    def make(**definitions: str) -> None:
        for name, depends_on in (("extract", ""), ("left", "extract"), ("right", "extract"), ("join", "left, right")):
            make_job(definitions.get(name, "succeeds"), name=name, depends_on=depends_on)

    return make
