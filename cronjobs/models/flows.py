"""What executions of one flow mean for each other: who may run, who follows, and how they make a tree. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from cronjobs.dependencies import Condition, Dependencies
from cronjobs.language import gettext as _
from cronjobs.language import gettext_noop
from cronjobs.models.execution import JobExecution
from cronjobs.states import FINAL, UNSUCCESSFUL, ExecutionStatus

_FULFILLING: Mapping[Condition, frozenset[ExecutionStatus]] = {
    Condition.SUCCESS: frozenset({ExecutionStatus.SUCCEEDED}),
    Condition.FAILURE: UNSUCCESSFUL,
    Condition.ALWAYS: FINAL,
}
_ENDED: Mapping[str, str] = {
    ExecutionStatus.SUCCEEDED: gettext_noop("%(execution)s succeeded."),
    ExecutionStatus.FAILED: gettext_noop("%(execution)s failed."),
    ExecutionStatus.TIMED_OUT: gettext_noop("%(execution)s timed out."),
    ExecutionStatus.CANCELLED: gettext_noop("%(execution)s was cancelled."),
    ExecutionStatus.LOST: gettext_noop("%(execution)s was lost."),
    ExecutionStatus.SKIPPED: gettext_noop("%(execution)s was skipped."),
    ExecutionStatus.MISSED: gettext_noop("%(execution)s was missed."),
}


class Member(Protocol):
    """What the decision needs to know of an execution."""

    @property
    def pk(self) -> int: ...

    @property
    def status(self) -> str: ...


def is_decided(dependencies: Dependencies, newest: Mapping[str, Member]) -> bool:
    """Return whether all upstreams have ended; `newest` is each job's newest execution in the flow."""
    return all(name in newest and newest[name].status in FINAL for name in dependencies)


def reason_to_skip(dependencies: Dependencies, newest: Mapping[str, Member]) -> str:
    """Return which upstreams did not end as they should have, once all have ended; empty if all did."""
    return " ".join(
        _(_ENDED[newest[name].status]) % {"execution": f"{name} #{newest[name].pk}"}
        for name, condition in dependencies.items()
        if newest[name].status not in _FULFILLING[condition]
    )


@dataclass(slots=True)
class Branch:
    """An execution, and the branches that began with it."""

    execution: JobExecution
    children: list[Branch] = field(default_factory=list)

    def walk(self) -> Iterator[tuple[int, JobExecution]]:
        """Yield each execution after the one it hangs on, with its depth from 0."""
        ahead = [(0, self)]
        while ahead:
            depth, branch = ahead.pop()
            yield depth, branch.execution
            ahead += [(depth + 1, each) for each in reversed(branch.children)]


def build_tree(executions: Iterable[JobExecution]) -> Branch:
    """Return the tree that the executions of a flow make; there must be at least one.

    One that was run again has the other one below it, and every other one its upstream above
    it. What has lost the one above it, to a purge perhaps, hangs on the oldest.
    """
    rows = sorted(executions, key=lambda each: each.pk)
    branches = {each.pk: Branch(each) for each in rows}
    top = branches[rows[0].pk]
    parents = {each.pk: _parent(each, branches, top) for each in rows[1:]}
    for pk, parent in parents.items():
        # Ids that SQL has written may lead round in a circle: then nothing in it has a place.
        (parent if _leads_to(top, pk, parents) else top).children.append(branches[pk])
    return top


def _parent(execution: JobExecution, branches: Mapping[int, Branch], top: Branch) -> Branch:
    for pk in (execution.retry_of_id, execution.upstream_id):
        if pk is not None and pk != execution.pk and pk in branches:
            return branches[pk]
    return top


def _leads_to(top: Branch, pk: int, parents: Mapping[int, Branch]) -> bool:
    for _step in range(len(parents) + 1):
        if pk == top.execution.pk:
            return True
        pk = parents[pk].execution.pk
    return False
