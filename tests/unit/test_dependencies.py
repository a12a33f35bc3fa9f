"""What a job depends on, from text, lists and mappings."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronjobs.dependencies import (
    Condition,
    dependencies_text,
    describe_dependencies,
    objection,
    objection_to_change,
    parse_dependencies,
)
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


def graph(**upstreams):
    """Return a graph from each job's dependencies as text."""
    return {name: parse_dependencies(text) for name, text in upstreams.items()}


DIAMOND = graph(extract="", left="extract", right="extract:failure", join="left, right:always", other="")


def test_dependencies_are_described_in_words():
    described = describe_dependencies(parse_dependencies("extract, load:failure, report:always"))

    assert described == "extract, load (on failure), report (however it ends)"


@pytest.mark.parametrize("name", DIAMOND)
def test_a_diamond_can_run(name):
    assert objection(name, DIAMOND) == ""


@pytest.mark.parametrize(
    ("upstreams", "words"),
    [
        ("extrakt", "There is no job named 'extrakt'. Did you mean 'extract'?"),
        ("zzz", "There is no job named 'zzz'."),
        ("join", "join would wait for itself: join after join."),
        (
            "left, other",
            "They begin with different jobs, whose executions never meet: left with extract; other with other.",
        ),
    ],
)
def test_what_could_never_run_is_objected_to(upstreams, words):
    changed = {**DIAMOND, "join": parse_dependencies(upstreams)}

    assert objection("join", changed) == words
    assert objection_to_change("join", changed["join"], DIAMOND) == words


def test_a_circle_is_named_also_from_outside_of_it():
    circle = graph(a="c", b="a", c="b", d="b")

    assert objection("a", circle) == "a would wait for itself: a after c after b after a."
    assert objection("d", circle) == "b would wait for itself: b after a after c after b."


def test_a_change_that_stops_a_job_further_down_is_refused():
    dependencies = parse_dependencies("other")

    words = objection_to_change("left", dependencies, DIAMOND)

    assert words.startswith("join could not run any more. They begin with different jobs")
    assert objection_to_change("extract", dependencies, DIAMOND) == ""


def test_what_could_not_run_before_does_not_forbid_a_change():
    broken = {**DIAMOND, "join": parse_dependencies("left, ghost")}

    assert objection_to_change("left", parse_dependencies("other"), broken) == ""


def test_a_job_that_is_new_may_depend_on_others():
    assert objection_to_change("new", parse_dependencies("join"), DIAMOND) == ""
    assert "'ghost'" in objection_to_change("new", parse_dependencies("ghost"), DIAMOND)


def test_a_chain_of_any_length_is_followed():
    names = [f"job-{number}" for number in range(5_000)]
    chain = {name: {before: Condition.SUCCESS} for before, name in itertools.pairwise(names)} | {names[0]: {}}

    assert objection(names[-1], chain) == ""
    assert "would wait for itself" in objection_to_change(names[0], {names[-1]: Condition.SUCCESS}, chain)


GRAPHS = st.dictionaries(
    st.sampled_from("abcdef"), st.dictionaries(st.sampled_from("abcdef"), st.just(Condition.SUCCESS)), min_size=1
)


def by_definition(name, graph):
    """Say whether a job can run, the slow way: all paths upwards end, and at one and the same job."""
    ends, paths = set(), [(name,)]
    while paths:
        path = paths.pop()
        above = graph.get(path[-1], {})
        if any(each in path for each in above):
            return False
        ends |= set() if above else {path[-1]}
        paths += [(*path, each) for each in above]
    return len(ends) == 1


@given(GRAPHS, st.data())
def test_objections_are_what_the_definition_says(graph, data):
    name = data.draw(st.sampled_from(sorted(graph)))
    can_run = by_definition(name, graph) and graph.keys() >= graph[name].keys()

    assert (objection(name, graph) == "") == can_run
