"""What a job waits for: the names of other jobs, each with how it must have ended. Pure values, no rows.

The second half looks at all jobs together: which of them could never run.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from enum import StrEnum

from cronjobs.exceptions import InvalidDependency
from cronjobs.language import gettext as _
from cronjobs.language import with_commas


class Condition(StrEnum):
    """How an upstream must have ended for its dependent to run."""

    SUCCESS = "success"
    # Failed, timed out or lost.
    FAILURE = "failure"
    ALWAYS = "always"


_PART = re.compile(r"(?P<name>[a-z0-9_-]+)(?:\s*:\s*(?P<condition>\w+))?", re.ASCII)

Dependencies = Mapping[str, Condition]


def parse_dependencies(value: str | Mapping[str, str] | Iterable[str]) -> dict[str, Condition]:
    """Return the conditions by upstream job name.

    `value` is text such as ``"extract, load:always"``, a list of such parts, or a mapping of
    name to condition; a name alone means success. Raises `InvalidDependency` for anything else.
    """
    # Whoever declares a job may have written anything.
    given: object = value
    if isinstance(value, Mapping):
        parts: Iterable[object] = (f"{name}:{condition}" for name, condition in value.items())
    elif not isinstance(given, Iterable):
        message = _("It must be names of jobs with commas between them, a list or a mapping of them, not %(value)r.")
        raise InvalidDependency(message % {"value": value})
    else:
        parts = value.split(",") if isinstance(value, str) else value
    parsed: dict[str, Condition] = {}
    for part in parts:
        text = part.strip() if isinstance(part, str) else part
        if text == "":
            continue
        name, condition = _parse_part(text)
        if name in parsed:
            raise InvalidDependency(_("%(job)s is named twice.") % {"job": name})
        parsed[name] = condition
    return parsed


def dependencies_text(dependencies: Mapping[str, Condition]) -> str:
    """Return the text that `parse_dependencies` reads."""
    parts = (name if on is Condition.SUCCESS else f"{name}:{on}" for name, on in dependencies.items())
    return ", ".join(parts)


def _parse_part(part: object) -> tuple[str, Condition]:
    match = _PART.fullmatch(part) if isinstance(part, str) else None
    if match is None:
        message = _("A dependency is a job's name, or name:success, name:failure or name:always, not %(text)r.")
        raise InvalidDependency(message % {"text": part})
    try:
        return match["name"], Condition(match["condition"] or Condition.SUCCESS)
    except ValueError:
        message = _("%(job)s can be waited for on %(conditions)s, not on %(text)r.")
        facts = {"job": match["name"], "conditions": ", ".join(Condition), "text": match["condition"]}
        raise InvalidDependency(message % facts) from None


# Every job's upstreams, by its name.
Graph = Mapping[str, Dependencies]


def describe_dependencies(dependencies: Dependencies) -> str:
    """Return what a job runs after, for a sentence: "extract, load (on failure)"."""
    texts = {
        Condition.SUCCESS: "%(job)s",
        Condition.FAILURE: _("%(job)s (on failure)"),
        Condition.ALWAYS: _("%(job)s (however it ends)"),
    }
    return with_commas([texts[on] % {"job": name} for name, on in dependencies.items()])


def objection(name: str, graph: Graph) -> str:
    """Return why the job `name` could never run after its upstreams, in a sentence; empty if it can.

    That is: one of them does not exist, waits for itself, or they begin with different jobs,
    whose executions never meet in one flow.
    """
    for upstream in graph[name]:
        if upstream not in graph:
            return _no_such_job(upstream, graph)
    if circle := _circle(name, graph):
        return _("%(job)s would wait for itself: %(circle)s.") % {"job": circle[0], "circle": _in_words(circle)}
    beginnings = {upstream: _roots(upstream, graph) for upstream in graph[name]}
    roots = {root for each in beginnings.values() for root in each}
    if len(roots) > 1:
        text = _("%(upstream)s with %(jobs)s")
        parts = [
            text % {"upstream": upstream, "jobs": with_commas(sorted(each))} for upstream, each in beginnings.items()
        ]
        message = _("They begin with different jobs, whose executions never meet: %(beginnings)s.")
        return message % {"beginnings": "; ".join(parts)}
    return ""


def objection_to_change(name: str, dependencies: Dependencies, graph: Graph) -> str:
    """Return why the job `name` cannot have these `dependencies` in `graph`; empty if it can.

    Also refused is what would stop a job further down that could run until now.
    """
    changed = {**graph, name: dependencies}
    if found := objection(name, changed):
        return found
    before = {**graph, name: graph.get(name, {})}
    for other in _below(name, changed):
        if (found := objection(other, changed)) and not objection(other, before):
            return _("%(job)s could not run any more. %(reason)s") % {"job": other, "reason": found}
    return ""


def _no_such_job(name: str, graph: Graph) -> str:
    close = difflib.get_close_matches(name, graph, n=1)
    if not close:
        return _("There is no job named %(name)r.") % {"name": name}
    return _("There is no job named %(name)r. Did you mean %(close)r?") % {"name": name, "close": close[0]}


def _in_words(circle: list[str]) -> str:
    """Return the names along a circle as a part of a sentence: "a after b after a"."""
    first, *others = circle
    for each in others:
        first = _("%(jobs)s after %(job)s") % {"jobs": first, "job": each}
    return first


def _circle(name: str, graph: Graph) -> list[str]:
    """Return the names along a circle that the job is part of or waits for, the first one twice; empty if none."""
    # Without recursion: a chain may be long, and what SQL has written may be anything.
    path, ahead = [name], [iter(graph.get(name, ()))]
    seen = {name}
    while path:
        following = next(ahead[-1], None)
        if following is None:
            path.pop()
            ahead.pop()
        elif following not in seen:
            seen.add(following)
            path.append(following)
            ahead.append(iter(graph.get(following, ())))
        elif following in path:
            return [*path[path.index(following) :], following]
    return []


def _roots(name: str, graph: Graph) -> set[str]:
    """Return the jobs that everything above the job begins with: itself, if nothing is above it."""
    return {each for each in _reached(name, graph) if not graph.get(each)}


def _below(name: str, graph: Graph) -> list[str]:
    """Return the jobs that wait for the job `name`, or for one that does, in the order of their names."""
    downstream: dict[str, list[str]] = {}
    for each, dependencies in graph.items():
        for upstream in dependencies:
            downstream.setdefault(upstream, []).append(each)
    return sorted(_reached(name, downstream) - {name})


def _reached(name: str, edges: Mapping[str, Iterable[str]]) -> set[str]:
    reached, ahead = {name}, [name]
    while ahead:
        new = set(edges.get(ahead.pop(), ())) - reached
        reached |= new
        ahead += new
    return reached
