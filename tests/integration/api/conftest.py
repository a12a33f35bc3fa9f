"""Callers, and jobs of a test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from cronjobs import RetryPolicy
from cronjobs.models import Job
from cronjobs.scheduler.node import NodeProcess
from cronjobs.testing._definitions import Declare
from tests.integration.api.callers import Caller, grant
from tests.integration.conftest import MakeJob

OWN_JOB = "of-the-test"


@pytest.fixture
def viewer(django_user_model: Any) -> Caller:
    """Somebody who may look at jobs."""
    user = django_user_model.objects.create_user("vera")
    grant(user, "view_job")
    return Caller(user)


@pytest.fixture
def editor(django_user_model: Any) -> Caller:
    """Somebody who may look at, make, change and delete jobs."""
    user = django_user_model.objects.create_user("eddie")
    grant(user, "view_job", "add_job", "change_job", "delete_job")
    return Caller(user)


@pytest.fixture
def operator(django_user_model: Any) -> Caller:
    """Somebody who may run jobs."""
    user = django_user_model.objects.create_user("olive")
    grant(user, "run_job")
    return Caller(user)


@pytest.fixture
def reader(django_user_model: Any) -> Caller:
    """Somebody who may look at executions."""
    user = django_user_model.objects.create_user("rita")
    grant(user, "view_jobexecution")
    return Caller(user)


@pytest.fixture
def noop(make_job: MakeJob) -> Job:
    """The only job there is, but for those of a test's own."""
    Job.objects.all().delete()
    return make_job("noop", schedule="@hourly")


@pytest.fixture
def define(cronjobs_job: Declare) -> Callable[..., str]:
    """Make a job of a function for one test, and return its name."""

    def make(func: Callable[..., Any], **options: Any) -> str:
        return cronjobs_job(OWN_JOB, **{"retry": RetryPolicy(max_attempts=1), **options})(func).name

    return make


@pytest.fixture
def no_cache(settings: Any) -> None:
    """A cache that cannot be used: its files would have to be below what is no folder."""
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": "/dev/null/cache"}
    }


@pytest.fixture
def node(transactional_db: None) -> Iterator[NodeProcess]:
    """A node at work in this process."""
    process = NodeProcess(workers=4)
    process.start()
    yield process
    process.stop(grace=timedelta(seconds=10))
