"""The @job decorator and where it puts what it declares."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from django import forms

from cronjobs import Cron, job
from cronjobs.exceptions import DefinitionNotFound, InvalidParameters
from cronjobs.registry import JobDefinition, Problem, Registry
from cronjobs.schedules import CatchUp


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    fresh = Registry()
    monkeypatch.setattr("cronjobs.registry._declaring.registry", fresh)
    return fresh


class Unreadable:
    def __repr__(self):
        raise ValueError("cannot be shown")


class DaysForm(forms.Form):
    days = forms.IntegerField(min_value=1, initial=7)
    note = forms.CharField(required=False)


def test_a_decorated_function_stays_a_function(registry):
    @job("send-digest", schedule="0 7 * * mon-fri", time_zone="Europe/Berlin", priority="high", misfire_grace=60)
    def send_digest(context, *, days=1):
        """Send the digest.

        Every day.
        """
        return days * 2

    definition = registry["send-digest"]
    assert send_digest is definition
    assert send_digest(None, days=3) == 6
    assert definition.description == "Send the digest."
    assert definition.priority == 4
    assert definition.misfire_grace == timedelta(minutes=1)
    assert isinstance(definition.schedule, Cron)
    assert "Europe/Berlin" in definition.schedule.describe()


def test_an_unknown_definition_is_named(registry):
    with pytest.raises(DefinitionNotFound, match="registered as 'nobody'"):
        registry["nobody"]


def test_why_a_definition_is_missing_is_said_where_it_is_missed(registry):
    @job("a", schedule="61 * * * *")
    def work(context):
        """Be due at an impossible minute."""

    registry.problems.append(Problem(where="shop.jobs", message="shop.jobs cannot be imported: SyntaxError"))

    with pytest.raises(DefinitionNotFound, match=r"registered as 'a'\. Job 'a': minute: '61'"):
        registry["a"]
    with pytest.raises(DefinitionNotFound, match=r"registered as 'b'\. shop\.jobs cannot be imported: SyntaxError"):
        registry["b"]


@pytest.mark.parametrize(
    ("source", "message", "hint"),
    [
        pytest.param(
            "import json\n\njson.loads(None)\n",
            "brokenjobs cannot be imported (line 3): TypeError: the JSON object must be str, bytes or bytearray, not NoneType",
            "The jobs that it defines below that line are not available until it can.",
            id="line",
        ),
        pytest.param(
            "import re\ndef\n",
            "brokenjobs cannot be imported: SyntaxError: invalid syntax (brokenjobs.py, line 2)",
            "Its jobs are not available until it can.",
            id="syntax",
        ),
    ],
)
def test_where_a_module_cannot_be_imported_is_said(tmp_path, monkeypatch, source, message, hint):
    (tmp_path / "brokenjobs.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    registry = Registry()

    registry._import("brokenjobs")

    (problem,) = registry.problems
    assert (problem.message, problem.hint) == (message, hint)


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        pytest.param("Send Digest", {}, "a name is up to 100 lower-case letters", id="name"),
        pytest.param("x" * 101, {}, "a name is up to 100", id="long-name"),
        pytest.param(5, {}, "a name is up to 100", id="number-as-name"),
        pytest.param("a", {"schedule": "61 * * * *"}, "minute", id="schedule"),
        pytest.param("a", {"schedule": "* * * * *", "time_zone": "Mars/Base"}, "Mars/Base", id="zone"),
        pytest.param("a", {"priority": "urgent"}, "priority is 1 to 5", id="priority"),
        pytest.param("a", {"priority": 6}, "priority is 1 to 5", id="priority-number"),
        pytest.param(
            "a", {"overlap": "maybe"}, "overlap must be one of 'forbid', 'allow', 'queue', 'replace'", id="overlap"
        ),
        pytest.param("a", {"max_instances": 0}, "max_instances must be a whole number of at least 1", id="instances"),
        pytest.param("a", {"catch_up": "some"}, "some", id="catch-up"),
        pytest.param("a", {"catch_up": []}, "[] is not a valid CatchUp", id="list-as-catch-up"),
        pytest.param("a", {"schedule": 5}, "schedule must be text or a Schedule, not 5", id="number-as-schedule"),
        pytest.param(
            "a", {"schedule": 5, "time_zone": "UTC"}, "schedule must be text or a Schedule", id="number-in-a-zone"
        ),
        pytest.param("a", {"schedule": Unreadable()}, "cannot be shown", id="unreadable-schedule"),
        pytest.param("a", {"time_zone": 5}, "time_zone: 5 is not text", id="number-as-zone"),
        pytest.param("a", {"time_zone": ["UTC"]}, "time_zone: ['UTC'] is not text", id="list-as-zone"),
        pytest.param("a", {"priority": True}, "priority is 1 to 5", id="priority-true"),
        pytest.param("a", {"priority": ["high"]}, "priority is 1 to 5", id="priority-list"),
        pytest.param("a", {"jitter": 1e300}, "jitter is not a usable number of seconds: 1e+300", id="jitter"),
        pytest.param("a", {"jitter": -1}, "jitter must not be negative", id="negative-jitter"),
        pytest.param("a", {"misfire_grace": math.nan}, "misfire_grace is not a usable number", id="grace-nan"),
        pytest.param("a", {"misfire_grace": True}, "must be a timedelta or a number of seconds, not True", id="true"),
        pytest.param("a", {"misfire_grace": "1h"}, "must be a timedelta or a number of seconds, not '1h'", id="text"),
        pytest.param("a", {"description": 5}, "description must be text, not 5", id="description"),
        pytest.param(
            "a", {"shedule": "@daily"}, "there is no option 'shedule'. Did you mean 'schedule'?", id="unknown-option"
        ),
    ],
)
def test_a_mistake_becomes_a_problem_and_does_not_raise(registry, name, options, sentence):
    @job(name, **options)
    def work(context):
        return "still callable"

    assert isinstance(work, JobDefinition)
    assert work(None) == "still callable"
    assert not list(registry)
    assert [sentence in problem.message for problem in registry.problems] == [True]


@pytest.mark.parametrize(
    "work",
    [
        pytest.param(lambda: None, id="none"),
        pytest.param(lambda *, days=1: days, id="keyword-only"),
        pytest.param(lambda **anything: anything, id="keywords"),
    ],
)
def test_a_function_without_a_parameter_for_the_context_is_a_problem(registry, work):
    job("a")(work)

    assert "a" not in registry
    assert "needs a first parameter" in registry.problems[0].message


@pytest.mark.parametrize("work", [pytest.param(lambda *args: args, id="args"), pytest.param(divmod, id="by-position")])
def test_the_context_may_come_by_any_kind_of_position(registry, work):
    job("a")(work)

    assert "a" in registry


def test_the_first_of_two_functions_of_one_name_stays(registry):
    @job("a")
    def first(context):
        """Be first."""

    @job("a")
    def second(context):
        """Be second."""

    assert registry["a"] is first
    assert "Two functions are registered as 'a'" in registry.problems[0].message


def test_parameters_are_checked_against_the_signature(registry):
    @job("a")
    def work(context, *, days, note=""):
        """Work."""

    assert work.clean({"days": 1}) == {"days": 1}
    with pytest.raises(InvalidParameters) as caught:
        work.clean({"dais": 1})
    assert caught.value.errors == {
        "dais": ["There is no such parameter."],
        "days": ["This parameter is required."],
    }


def test_a_function_that_takes_anything_is_given_anything(registry):
    @job("a")
    def work(context, **anything):
        """Work."""

    assert work.clean({"x": 1}) == {"x": 1}


def test_a_form_validates_converts_and_fills_in(registry):
    @job("a", params_form=DaysForm)
    def work(context, *, days, note):
        """Work."""

    assert work.clean({}) == {"days": 7, "note": ""}
    assert work.clean({"days": "3"}) == {"days": 3, "note": ""}
    with pytest.raises(InvalidParameters) as caught:
        work.clean({"days": 0, "dais": 1})
    assert list(caught.value.errors) == ["dais"]
    with pytest.raises(InvalidParameters, match="greater than or equal to 1"):
        work.clean({"days": 0})


def test_the_definitions_own_parameters_are_the_base(registry):
    @job("a", params={"days": 5}, catch_up="all")
    def work(context, *, days):
        """Work."""

    assert work.clean({}) == {"days": 5}
    assert work.clean({"days": 6}) == {"days": 6}
    assert work.catch_up is CatchUp.ALL


@pytest.mark.parametrize("limit", [{"memory_limit": "1G"}, {"cpu_limit": 60}])
def test_a_thread_cannot_have_limits_that_only_a_process_can_be_held_to(registry, limit):
    @job("heavy", executor="thread", **limit)
    def heavy(context):
        pass

    assert "heavy" not in registry
    assert "a thread cannot be limited in memory or CPU time" in registry.problems[0].message


def test_a_thread_may_have_a_timeout(registry):
    @job("slow", executor="thread", timeout=60)
    def slow(context):
        pass

    assert registry["slow"].is_limited
