"""What a job depends on, from text, lists and mappings."""

from __future__ import annotations

import pytest

from cronjobs.dependencies import Condition, dependencies_text, parse_dependencies
from cronjobs.exceptions import InvalidDependency

BOTH = {"extract": Condition.SUCCESS, "load": Condition.ALWAYS}


@pytest.mark.parametrize(
    "value",
    [
        "extract, load:always",
        "extract:success,load : always,",
        ["extract", "load:always"],
        {"extract": "success", "load": "always"},
    ],
)
def test_one_meaning_in_several_forms(value):
    assert parse_dependencies(value) == BOTH
    assert parse_dependencies(dependencies_text(BOTH)) == BOTH


def test_nothing_is_no_dependency():
    assert parse_dependencies("") == parse_dependencies(()) == {}


@pytest.mark.parametrize("value", ["a b", "a:sometimes", "a, a:failure", "A", [3], {"a": None}, "a:", "a/b"])
def test_what_cannot_be_waited_for_is_refused(value):
    with pytest.raises(InvalidDependency):
        parse_dependencies(value)
