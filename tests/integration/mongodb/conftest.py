"""Fixtures for tests on a real MongoDB server."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from pymongo import MongoClient
from pymongo.database import Database


@pytest.fixture
def mongodb_uri(mongo_server: str) -> str:
    """The URI of an empty database of this test's own."""
    return urlsplit(mongo_server)._replace(path=f"/test_{uuid4().hex}").geturl()


@pytest.fixture
def mongodb(mongodb_uri: str, settings: Any) -> Iterator[Database[dict[str, Any]]]:
    """An empty database that the app is configured for, through a client of the test's own."""
    settings.CRONJOBS = {"MONGODB_URI": mongodb_uri}
    client: MongoClient[dict[str, Any]] = MongoClient(mongodb_uri, tz_aware=True, tzinfo=UTC)
    database = client.get_default_database()
    try:
        yield database
    finally:
        client.drop_database(database)
        client.close()
