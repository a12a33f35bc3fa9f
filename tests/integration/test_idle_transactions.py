"""A node that stands still in the middle of a transaction must not hold its locks for long."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection

from cronjobs.database import belongs_to_the_engine, engine_transaction

pytestmark = pytest.mark.django_db(transaction=True)

ASK = {"postgresql": "SHOW idle_in_transaction_session_timeout", "mysql": "SELECT @@idle_transaction_timeout"}


def timeout_in_a_transaction(*, is_engine):
    answers = []

    def work():
        if is_engine:
            belongs_to_the_engine(timedelta(seconds=15))
        try:
            with engine_transaction("default"), connection.cursor() as cursor:
                cursor.execute(ASK[connection.vendor])
                answers.append(str(cursor.fetchone()[0]))
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return answers[0]


def test_the_server_ends_the_engines_idle_transactions_and_nobody_elses():
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has no server")

    assert timeout_in_a_transaction(is_engine=True) in ("15s", "15")
    assert timeout_in_a_transaction(is_engine=False) == "0"
