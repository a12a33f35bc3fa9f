"""What of the test kit needs no database."""

from __future__ import annotations

import ast
from datetime import UTC, datetime

import pytest

import cronjobs.testing
from cronjobs import JobFailed
from cronjobs.logs import Upstream
from cronjobs.registry import registry
from cronjobs.testing import make_context
from tests.servers import ROOT


@pytest.mark.parametrize("name", cronjobs.testing.__all__)
def test_every_public_name_is_there_and_explained(name):
    assert getattr(cronjobs.testing, name).__doc__
    assert name in dir(cronjobs.testing)
    assert f"`{name}" in (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")


def test_there_is_no_other_name():
    with pytest.raises(AttributeError, match="no attribute 'run_jobs'"):
        cronjobs.testing.run_jobs  # noqa: B018 - to ask is enough


def test_type_checkers_know_the_same_names():
    tree = ast.parse((ROOT / "cronjobs" / "testing" / "__init__.py").read_text(encoding="utf-8"))
    imports = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("cronjobs")
    ]
    known = {each.name: node.module for node in imports for each in node.names}

    assert known == {name: f"cronjobs.testing.{home}" for name, home in cronjobs.testing._HOMES.items()}
    assert sorted(known) == cronjobs.testing.__all__


def test_a_context_is_what_a_first_attempt_gets():
    context = make_context()

    assert (context.job_name, context.attempt, context.max_attempts, context.trigger) == ("test", 1, 1, "manual")
    assert (context.cancelled, context.node_is_stopping, context.params, context.upstream) == (False, False, {}, {})
    assert context.scheduled_for.tzinfo is not None


def test_a_context_says_what_a_test_wants():
    context = make_context(
        registry["succeeds"], scheduled_for="2026-03-29T07:00+02:00", attempt=3, trigger="schedule", params={"value": 2},
        cancelled=True, node_is_stopping=True,
    )  # fmt: skip

    assert (context.job_name, context.attempt, context.max_attempts) == ("succeeds", 3, 3)
    assert (context.trigger, context.params) == ("schedule", {"value": 2})
    assert context.scheduled_for == datetime(2026, 3, 29, 5, tzinfo=UTC)
    assert (context.cancelled, context.node_is_stopping) == (True, True)


def test_a_context_has_what_ran_before():
    failed = Upstream(execution_id=7, status="failed", result=None)

    context = make_context(upstream={"extract": {"rows": 3}, "check": failed})

    assert (context.upstream["extract"].status, context.upstream["extract"].result) == ("succeeded", {"rows": 3})
    assert context.upstream["check"] is failed


def test_a_function_is_called_with_a_context(caplog):
    with pytest.raises(JobFailed), caplog.at_level("INFO", logger="cronjobs.job"):
        _halves(make_context("halves"), number=3)

    assert caplog.messages == ["halves: Halving"]


def _halves(context, *, number):
    context.log.progress("Halving")
    if number % 2:
        raise JobFailed("odd")
    return number // 2
