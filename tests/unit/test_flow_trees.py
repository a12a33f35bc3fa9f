"""How the executions of a flow make a tree, and what they mean for each other."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronjobs.dependencies import Condition
from cronjobs.models import JobExecution
from cronjobs.models.flows import build_tree, is_decided, reason_to_skip
from cronjobs.states import FINAL, ExecutionStatus


def row(pk, *, upstream=None, retry_of=None):
    return JobExecution(pk=pk, upstream_id=upstream, retry_of_id=retry_of)


def outline(branch):
    return {branch.execution.pk: [outline(each) for each in branch.children]}


def test_each_hangs_on_its_upstream_and_a_repetition_on_what_it_repeats():
    rows = [row(1), row(2, upstream=1), row(3, upstream=1), row(4, upstream=2), row(5, upstream=1, retry_of=2)]

    assert outline(build_tree(reversed(rows))) == {1: [{2: [{4: []}, {5: []}]}, {3: []}]}


def test_what_was_revived_hangs_on_a_younger_one():
    rows = [row(1), row(2, upstream=4), row(4, retry_of=1)]

    assert outline(build_tree(rows)) == {1: [{4: [{2: []}]}]}


@pytest.mark.parametrize("gone", [1, 2])
def test_what_has_lost_the_one_above_hangs_on_the_oldest(gone):
    rows = [row(1), row(2, upstream=1), row(3, upstream=2), row(4, upstream=2)]

    tree = build_tree([each for each in rows if each.pk != gone])

    assert outline(tree) == {1: {2: [{3: []}, {4: []}]}[2]} if gone == 2 else {2: [{3: []}, {4: []}]}


IDS = st.none() | st.integers(1, 12)


@given(st.lists(st.tuples(IDS, IDS), min_size=1, max_size=12))
def test_everybody_has_one_place_whatever_the_ids_say(parents):
    rows = [row(pk, upstream=upstream, retry_of=again) for pk, (upstream, again) in enumerate(parents, 1)]

    walked = list(build_tree(rows).walk())

    assert sorted(each.pk for _, each in walked) == [each.pk for each in rows]
    assert walked[0] == (0, rows[0])
    assert all(after <= before + 1 for (before, _), (after, _) in itertools.pairwise(walked))


EVERY = {"a": Condition.SUCCESS, "b": Condition.FAILURE, "c": Condition.ALWAYS}


def members(**statuses):
    return {name: JobExecution(pk=ord(name), status=status) for name, status in statuses.items()}


@pytest.mark.parametrize("status", [each for each in ExecutionStatus if each not in FINAL])
def test_nothing_is_decided_before_all_have_ended(status):
    assert is_decided(EVERY, members(a="succeeded", b="failed", c="lost"))
    assert not is_decided(EVERY, members(a="succeeded", b="failed", c=status))
    assert not is_decided(EVERY, members(a="succeeded", b="failed"))


@pytest.mark.parametrize("status", sorted(FINAL))
def test_each_condition_takes_its_endings(status):
    met = {
        Condition.SUCCESS: {"succeeded"},
        Condition.FAILURE: {"failed", "timed_out", "lost"},
        Condition.ALWAYS: set(FINAL),
    }
    for condition, endings in met.items():
        assert (reason_to_skip({"a": condition}, members(a=status)) == "") == (status in endings)


def test_the_reason_names_all_that_ended_otherwise():
    assert reason_to_skip(EVERY, members(a="timed_out", b="skipped", c="lost")) == "a #97 timed out. b #98 was skipped."
