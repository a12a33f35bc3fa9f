"""Every promise in docs/guarantees.md is held by tests that exist."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.servers import ROOT

TEXT = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)
ROWS = [
    line
    for line in TEXT.splitlines()
    if line.startswith("| ") and not line.startswith(("| promise |", "| fact |", "|---"))
]


@cache
def functions_of(path):
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize(("path", "name"), sorted(set(NAMED)))
def test_a_test_that_is_named_exists(path, name):
    assert name in functions_of(path)


@pytest.mark.parametrize("row", [pytest.param(row, id=row.split("|")[1].strip()[:60]) for row in ROWS])
def test_a_promise_names_a_test(row):
    assert re.search(r"`tests/[\w/]+\.py::test_\w+`", row.split("|")[-2])


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`bench/(\w+)`", TEXT))))
def test_a_program_that_is_named_exists(name):
    assert (ROOT / "bench" / name).is_file()


def test_nothing_that_looks_like_a_test_is_overlooked():
    assert len(NAMED) == len(re.findall(r"::", TEXT))
