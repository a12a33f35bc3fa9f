"""Statuses change in one place only: `cronjobs.models.moves`."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import cronjobs

PACKAGE = Path(cronjobs.__file__).parent
MOVES = PACKAGE / "models" / "moves"
# What writes rows that exist: it may not be handed a status, by keyword or by name.
WRITERS = {
    "update",
    "bulk_update",
    "aupdate",
    "abulk_update",
    "update_or_create",
    "update_from_values",
    "save",
    "asave",
}
# Not executions: MongoDB's documents and deliveries of alerts have statuses of their own.
OTHERS = {PACKAGE / "documents", PACKAGE / "notifications" / "deliveries.py"}


def sources():
    for path in sorted(PACKAGE.rglob("*.py")):
        if MOVES not in path.parents and "migrations" not in path.parts and not OTHERS & {path, *path.parents}:
            yield path


def status_writes(tree):
    """Yield the lines on which a statement changes the status of rows that exist."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and name_of(node.func) in WRITERS and names_status(node):
            yield node.lineno
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and is_raw_update(node.value):
            yield node.lineno


def name_of(func):
    return func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")


def names_status(call):
    keywords = {keyword.arg for keyword in call.keywords}
    constants = {
        each.value for each in ast.walk(call) if isinstance(each, ast.Constant) and isinstance(each.value, str)
    }
    return "status" in keywords or "status" in constants


def is_raw_update(text):
    words = text.lower().split()
    return "update" in words and "set" in words and "status" in text.lower()


@pytest.mark.parametrize("path", [pytest.param(path, id=str(path.relative_to(PACKAGE))) for path in sources()])
def test_no_other_module_changes_a_status(path):
    assert list(status_writes(ast.parse(path.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize(
    "statement",
    [
        "rows.filter(pk=1).update(status='queued')",
        "rows.update(**{'status': 'queued'})",
        "rows.bulk_update(found, ['status'])",
        "execution.save(update_fields=['status'])",
        "update_from_values(JobExecution, columns=('id', 'status'))",
        "cursor.execute('UPDATE cronjobs_jobexecution SET status = 1')",
    ],
)
def test_a_module_that_did_would_be_found(statement):
    assert list(status_writes(ast.parse(statement))) == [1]


def test_the_moves_are_where_it_looks_away():
    assert any(list(status_writes(ast.parse(path.read_text(encoding="utf-8")))) for path in MOVES.glob("*.py"))
