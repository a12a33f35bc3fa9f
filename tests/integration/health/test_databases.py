"""Probes of the database and of MongoDB say in a sentence what is wrong, and leave nothing behind."""

from __future__ import annotations

from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.migrations.recorder import MigrationRecorder
from django.db.models.signals import post_delete, post_save

from cronjobs import health
from cronjobs.health._errors import NOT_MIGRATED
from cronjobs.health._probes import fail, probe
from cronjobs.models import Node

pytestmark = pytest.mark.django_db


@pytest.mark.django_db(transaction=True)
def test_writing_is_measured_and_nothing_is_left_behind():
    heard: list[object] = []

    def hear(**facts):
        heard.append(facts["instance"])

    for signal in (post_save, post_delete):
        signal.connect(hear, sender=Node)
    try:
        found = health.check_sql()
    finally:
        for signal in (post_save, post_delete):
            signal.disconnect(hear, sender=Node)

    assert (found.status, found.problems) == ("ok", ())
    assert found.details["writeMs"] > 0 < found.details["readMs"]
    assert found.details["database"].startswith(connection.display_name)
    assert not Node.objects.exists()
    assert heard == []


@pytest.mark.django_db(transaction=True)
def test_the_limit_on_waiting_for_locks_ends_with_the_probe():
    settings = {
        "sqlite": "PRAGMA busy_timeout",
        "postgresql": "SHOW lock_timeout",
        "mysql": "SELECT @@lock_wait_timeout, @@innodb_lock_wait_timeout",
    }

    def waits():
        with connection.cursor() as cursor:
            cursor.execute(settings[connection.vendor])
            return cursor.fetchone()

    before = waits()
    health.check_sql()

    assert waits() == before


@pytest.mark.sqlite_only
def test_the_databases_clock_can_be_compared_with_while_statements_are_logged(make_node):
    make_node()
    connection.force_debug_cursor = True
    try:
        assert health.check_nodes().details["alive"] == 1
    finally:
        connection.force_debug_cursor = False


@pytest.mark.parametrize("sql", ["SELECT * FROM cronjobs_nothing", "SELECT absent FROM cronjobs_node"])
def test_a_missing_table_or_column_means_that_migrate_was_not_run(sql):
    with pytest.raises(DatabaseError) as raised, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)

    assert health.explain_database_error(raised.value) == NOT_MIGRATED


def test_a_probe_that_fails_in_sql_does_not_spoil_the_callers_transaction():
    @probe("bad")
    def bad():
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM cronjobs_nothing")
        return fail("unreachable")

    found = bad()

    assert (found.name, found.status, found.message) == ("bad", "failed", NOT_MIGRATED)
    assert Node.objects.count() == 0


def test_a_probe_that_raises_anything_has_failed():
    @probe("odd")
    def odd():
        raise ZeroDivisionError("division by zero")

    found = odd()

    assert (found.status, found.message) == ("failed", "This could not be checked: ZeroDivisionError: division by zero")


def test_an_unapplied_migration_is_named():
    MigrationRecorder(connection).record_unapplied("cronjobs", "0001_initial")

    found = health.check_migrations()

    assert found.status == "failed"
    assert "cronjobs.0001_initial" in found.details["missing"]
    assert "run manage.py migrate" in found.message


def test_mongodb_that_is_not_configured_is_healthy():
    found = health.check_mongodb()

    assert (found.status, found.is_healthy) == ("not_configured", True)


@pytest.mark.mongo
def test_mongodb_that_does_not_answer_is_named_without_its_password(settings):
    settings.CRONJOBS = {"MONGODB_URI": "mongodb://ann:hunter2@127.0.0.1:1/app", "MONGODB_TIMEOUT": 0.2}

    found = health.check_mongodb()

    assert found.status == "failed"
    assert "127.0.0.1:1" in found.message
    assert "hunter2" not in repr(found)


@pytest.mark.mongo
def test_an_address_of_mongodb_that_cannot_be_read_is_not_repeated(settings):
    settings.CRONJOBS = {"MONGODB_URI": "mongodb://ann:hunter2@[::/app"}

    found = health.check_mongodb()

    assert found.status == "failed"
    assert "hunter2" not in repr(found)


@pytest.mark.mongo
def test_a_missing_index_is_a_warning_with_the_command_that_makes_it(settings, mongo_server):
    settings.CRONJOBS = {"MONGODB_URI": urlsplit(mongo_server)._replace(path=f"/test_{uuid4().hex}").geturl()}

    found = health.check_mongodb()

    assert (found.status, found.is_healthy) == ("warning", True)
    assert found.details["pingMs"] > 0
    assert len(found.problems) == len(found.details["missingIndexes"]) == 3
    assert "db.conversation_states.createIndex({isActive: 1, createdAt: 1})" in found.problems[0]
