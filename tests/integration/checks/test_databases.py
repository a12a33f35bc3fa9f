"""What only the database can say of itself."""

from __future__ import annotations

import pytest
from django.db import connection

from cronjobs.checks import check_sqlite, check_tables


@pytest.mark.sqlite_only
@pytest.mark.django_db
def test_sqlite_that_is_not_set_up_for_several_writers_is_found(monkeypatch):
    assert check_sqlite(databases=["default"]) == []
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", {})

    (message,) = check_sqlite(databases=["default"])

    assert message.id == "cronjobs.W002"
    assert "IMMEDIATE" in message.hint
    assert check_sqlite() == []


@pytest.mark.django_db
def test_tables_as_migrate_makes_them_are_fine():
    assert check_tables(databases=["default"]) == []
    assert check_tables() == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("change", "back", "said"),
    [
        ("ENGINE = Aria", "ENGINE = InnoDB", "These tables are not InnoDB"),
        ("CONVERT TO CHARACTER SET latin1", "CONVERT TO CHARACTER SET utf8mb4", "cannot store every character"),
    ],
    ids=["engine", "characters"],
)
def test_a_table_that_loses_transactions_or_characters_is_named(change, back, said):
    if connection.vendor != "mysql":
        pytest.skip("other databases have one kind of table, and every character")
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE cronjobs_alertround {change}")
    try:
        (message,) = check_tables(databases=["default"])
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE cronjobs_alertround {back}")

    assert message.id == "cronjobs.W036"
    assert said in message.msg
    assert "cronjobs_alertround" in message.msg
    assert "ALTER TABLE" in message.hint
