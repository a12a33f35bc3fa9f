"""Fixtures that tests of every kind share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import nullcontext
from importlib import import_module

import pytest
from django.core.cache import cache

from tests.servers import running_mongo


def pytest_configure(config: pytest.Config) -> None:
    """Have the fixtures of the test kit also where the package is not installed; not before coverage is measured."""
    if not config.pluginmanager.has_plugin("cronjobs"):
        config.pluginmanager.register(import_module("cronjobs.testing.plugin"), "cronjobs")


@pytest.fixture(scope="session")
def mongo_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URI of a MongoDB server: the one in TEST_MONGODB_URI, or one for this test process alone."""
    given = os.environ.get("TEST_MONGODB_URI")
    with nullcontext(given) if given else running_mongo(tmp_path_factory.mktemp("mongo")) as uri:
        yield uri


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    """No test is held back because of what others have asked the API."""
    cache.clear()


@pytest.fixture(autouse=True)
def _nothing_counted() -> None:
    """No test's dashboard shows the hours that another's has counted in this process."""
    # Not before Django is set up.
    from cronjobs.admin.dashboard.hours import forget_hours

    forget_hours()


@pytest.fixture(autouse=True)
def _no_address_known() -> None:
    """No test's pings go where another's jobs had theirs, and each asks the database as often as the others."""
    from cronjobs.notifications.pings import forget_addresses

    forget_addresses()
