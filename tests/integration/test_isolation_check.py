"""The check of the isolation level."""

from __future__ import annotations

import pytest
from django.db import connection

from cronjobs.checks import check_isolation

pytestmark = pytest.mark.django_db(transaction=True)


def test_djangos_default_is_right():
    assert check_isolation(databases=["default"]) == []
    assert check_isolation() == []


def test_a_stricter_level_is_named():
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has one level")
    statement = {
        "postgresql": "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "mysql": "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    }[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(statement)
    try:
        (message,) = check_isolation(databases=["default"])
    finally:
        connection.close()

    assert message.id == "cronjobs.W006"
    assert "is repeatable read" in message.msg
