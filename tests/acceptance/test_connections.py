"""How many connections a node keeps."""

from __future__ import annotations

import pytest
from django.db import connection

from cronjobs.models import JobExecution, Node
from tests.acceptance.conftest import status_of
from tests.servers import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

OTHERS = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
    "mysql": ("SELECT count(*) FROM information_schema.processlist WHERE db = database() AND id <> connection_id()"),
}


def test_an_idle_node_has_one_for_each_of_its_six_threads(start_node):
    if connection.vendor not in OTHERS:
        pytest.skip("SQLite has no server that could count")
    start_node()
    execution = JobExecution.objects.request("noop")
    # Then something has been claimed and recorded, the clock has ticked, and the lease keeper has said so.
    wait_for(lambda: status_of(execution) == "succeeded")
    wait_for(lambda: Node.objects.filter(last_tick_at__isnull=False).exists())

    with connection.cursor() as cursor:
        cursor.execute(OTHERS[connection.vendor])
        assert 1 <= cursor.fetchone()[0] <= 6
