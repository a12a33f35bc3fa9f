"""The plugin for pytest: the test kit as fixtures, beside pytest-django's, whose `db` they build on.

It is loaded in every test run of whoever has this package, also where there is no Django project: it asks for no settings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from cronjobs.models import JobExecution
    from cronjobs.testing import CapturedAlerts
    from cronjobs.testing._definitions import Declare


@pytest.fixture
def cronjobs_run(db: None) -> Callable[..., JobExecution]:
    """Perform a job here and now, and return its execution: `cronjobs.testing.run_job`."""
    from cronjobs.testing import run_job

    return run_job


@pytest.fixture
def cronjobs_run_queued(db: None) -> Callable[..., list[JobExecution]]:
    """Perform what has been enqueued, and return the executions: `cronjobs.testing.run_queued`."""
    from cronjobs.testing import run_queued

    return run_queued


@pytest.fixture
def cronjobs_run_due(db: None) -> Callable[..., list[JobExecution]]:
    """Do what a node does at a given time, and return the executions: `cronjobs.testing.run_due`."""
    from cronjobs.testing import run_due

    return run_due


@pytest.fixture
def cronjobs_alerts(db: None) -> Iterator[CapturedAlerts]:
    """Keep what people and monitors would be told in this test; `look` looks for what there is to tell."""
    from cronjobs.testing._alerts import captured_alerts

    # Without a last look, which after a test that has failed might fail as well.
    with captured_alerts() as captured:
        yield captured


@pytest.fixture
def cronjobs_job(db: None) -> Iterator[Declare]:
    """Declare a job for this test only, as with ``@job``: `cronjobs.testing.temporary_jobs`."""
    from cronjobs.testing import temporary_jobs

    with temporary_jobs() as declare:
        yield declare
