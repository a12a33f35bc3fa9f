"""Texts that are ordered as people of some country order them, and not by their bytes: as in most databases out there."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from django.db import connection

from project.processes import stop
from tests.commands import run_command_process
from tests.servers import database_url, start_command, wait_for

# What comes behind CREATE DATABASE. In all of these a semicolon comes before a colon, and in the last nothing is a letter.
_ORDERS = {
    "postgresql": ["TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"],
    "mysql": ["COLLATE utf8mb4_unicode_ci", "COLLATE utf8mb4_bin"],
}


@pytest.fixture(params=[0, 1])
def address(request, transactional_db) -> Iterator[str]:
    """The URL of a database of the test's own, in which texts have another order."""
    orders = _ORDERS.get(connection.vendor, [])
    if request.param >= len(orders):
        pytest.skip("this database has no such order")
    name = f"{connection.settings_dict['NAME']}_order"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} {orders[request.param]}")
    yield database_url({**connection.settings_dict, "NAME": name})
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {name}")


@pytest.mark.slow
def test_jobs_are_due_whatever_the_order_of_texts(address, tmp_path):
    environment = {
        "DATABASE_URL": address,
        "TEST_CRONJOBS": json.dumps({"SCHEDULES": {"noop": "* * * * * *"}}),
    }
    assert run_command_process("migrate", **environment).code == 0

    node = start_command("runcron", log=tmp_path / "node.log", **environment)
    try:
        wait_for(lambda: '"lastStatus": "succeeded"' in run_command_process("cronstatus", "--json", **environment).out)
    finally:
        stop([node])
