"""System checks that ask the SQL database, for `manage.py check --database`, `migrate` and `croncheck`."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core import checks
from django.db import connections

from cronjobs.database import engine_alias
from cronjobs.dependencies import objection
from cronjobs.models import Job, JobExecution
from cronjobs.models.graph import load_graph


@checks.register("cronjobs", checks.Tags.database)
def check_sqlite(*, databases: Any = None, **_: Any) -> list[checks.CheckMessage]:
    """W002: SQLite is not set up for several writers."""
    alias = engine_alias(JobExecution)
    connection = connections[alias]
    if not databases or alias not in databases or connection.vendor != "sqlite" or connection.is_in_memory_db():  # type: ignore[attr-defined]  # SQLite's wrapper
        return []
    options = connection.settings_dict.get("OPTIONS", {})
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode")
        journal = str(cursor.fetchone()[0]).lower()
    is_ready = journal == "wal" and options.get("transaction_mode") == "IMMEDIATE" and options.get("timeout", 5) >= 20
    if is_ready:
        return []
    hint = 'Set OPTIONS = {"init_command": "PRAGMA journal_mode=WAL;", "transaction_mode": "IMMEDIATE", "timeout": 20}.'
    return [checks.Warning("SQLite will answer 'database is locked' under load.", hint=hint, id="cronjobs.W002")]


@checks.register("cronjobs", checks.Tags.database)
def check_isolation(*, databases: Any = None, **_: Any) -> list[checks.CheckMessage]:
    """W006: transactions see the past, so limits over all nodes may be counted wrongly."""
    alias = engine_alias(JobExecution)
    if not databases or alias not in databases or connections[alias].vendor not in _ISOLATION:
        return []
    with connections[alias].cursor() as cursor:
        cursor.execute(_ISOLATION[connections[alias].vendor])
        level = str(cursor.fetchone()[-1]).lower().replace("-", " ")
    if level == "read committed":
        return []
    return [
        checks.Warning(
            f"The database's isolation level is {level}: max_instances and overlap may not hold over several nodes.",
            hint="Leave OPTIONS['isolation_level'] at Django's default, read committed.",
            id="cronjobs.W006",
        )
    ]


_ISOLATION = {
    "postgresql": "SHOW transaction_isolation",
    # MariaDB and MySQL call it by different names.
    "mysql": "SHOW VARIABLES WHERE Variable_name IN ('transaction_isolation', 'tx_isolation')",
}


@checks.register("cronjobs", checks.Tags.database)
def check_job_dependencies(*, databases: Any = None, **_: Any) -> list[checks.CheckMessage]:
    """W008: a job, as its row and its definition say it, depends on others in a way in which it could never run."""
    alias = engine_alias(JobExecution)
    if not databases or alias not in databases or not has_table(alias):
        return []
    graph = load_graph(Job.objects.using(alias))
    hint = "Change what it depends on, on the job's page in the admin."
    return [
        checks.Warning(f"Job {name} depends on other jobs: {text}", hint=hint, obj=name, id="cronjobs.W008")
        for name in graph
        if (text := objection(name, graph))
    ]


@checks.register("cronjobs", checks.Tags.database)
def check_tables(*, databases: Any = None, **_: Any) -> list[checks.CheckMessage]:
    """W036: MariaDB keeps a table of the engine without transactions, or cannot store every character in it."""
    alias = engine_alias(JobExecution)
    if not databases or alias not in databases or connections[alias].vendor != "mysql" or not has_table(alias):
        return []
    tables = [each._meta.db_table for each in apps.get_app_config("cronjobs").get_models()]  # noqa: SLF001 - Django's documented API
    with connections[alias].cursor() as cursor:
        cursor.execute(_KINDS, [tables])
        rows = cursor.fetchall()
    plain = sorted(name for name, engine, _ in rows if engine != "InnoDB")
    narrow = sorted(name for name, _, collation in rows if not collation.startswith("utf8mb4"))
    found: list[checks.CheckMessage] = []
    if plain:
        text = f"These tables are not InnoDB, so they have no transactions, and a due time may run twice: {', '.join(plain)}."
        hint = "ALTER TABLE … ENGINE = InnoDB, for each of them."
        found.append(checks.Warning(text, hint=hint, id="cronjobs.W036"))
    if narrow:
        text = (
            f"These tables cannot store every character, so a log line with an emoji is refused: {', '.join(narrow)}."
        )
        hint = "ALTER TABLE … CONVERT TO CHARACTER SET utf8mb4, for each of them."
        found.append(checks.Warning(text, hint=hint, id="cronjobs.W036"))
    return found


_KINDS = """
SELECT table_name, engine, table_collation FROM information_schema.tables
WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' AND table_name IN %s
"""


def has_table(alias: str) -> bool:
    """Return whether that database has been migrated."""
    # Before the first `migrate` there is none.
    with connections[alias].cursor() as cursor:
        return Job._meta.db_table in connections[alias].introspection.table_names(cursor)  # noqa: SLF001 - Django's documented API
