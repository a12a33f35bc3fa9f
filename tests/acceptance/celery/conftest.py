"""Real brokers, nodes and Celery workers, to each test its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cronjobs.models import Job
from tests.acceptance.conftest import Marks
from tests.brokers import Broker, broker_of
from tests.sites import Site


@pytest.fixture(params=["redis", "rabbitmq"])
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """A broker that serves others as well; the queues are the test's own."""
    with broker_of(request.param) as broker:
        yield broker


@pytest.fixture
def site(broker: Broker, transactional_db: None, tmp_path: Path, settings: Any) -> Iterator[Site]:
    """Where Celery performs everything; what is not begun within a second is dispatched again."""
    site = Site(tmp_path, broker, EXECUTOR="celery", DISPATCH_TIMEOUT=1)
    settings.CRONJOBS = site.settings
    site.settle()
    yield site
    # Who is asked to stop, and has nothing to do, stops at once.
    Job.objects.update(rerun_lost=False)
    site.stop()


@pytest.fixture
def marks(site: Site, tmp_path: Path) -> Marks:
    """The job that leaves a line outside the database for every call, in the site's queue."""
    marks = Marks(tmp_path / "marks.txt")
    marks.job(queue=site.queue)
    return marks


@pytest.fixture
def spans(site: Site, tmp_path: Path) -> Marks:
    """The job that leaves two lines outside the database for every call, in the site's queue."""
    spans = Marks(tmp_path / "spans.txt", definition="spans")
    spans.job(queue=site.queue)
    return spans
