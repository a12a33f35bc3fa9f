"""Which jobs wait for which, as rows and definitions together say it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.db.models import Q, QuerySet

from cronjobs.dependencies import Dependencies, parse_dependencies
from cronjobs.exceptions import InvalidDependency
from cronjobs.models.asking import ask
from cronjobs.registry import registry

if TYPE_CHECKING:
    from cronjobs.models.job import Job

_COLUMNS = ("pk", "name", "definition", "depends_on")


@dataclass(frozen=True, slots=True, kw_only=True)
class Follower:
    """A job that waits for others. `is_foreign`: only other nodes' code has its definition."""

    pk: int
    name: str
    is_foreign: bool
    depends_on: Dependencies


@dataclass(frozen=True, slots=True, kw_only=True)
class Followers:
    """The jobs that wait for others, by the name of what they wait for.

    `is_complete` is false while there are jobs whose dependencies only other nodes' code knows.
    """

    by_upstream: Mapping[str, Sequence[Follower]]
    is_complete: bool

    def may_wait_for(self, name: str) -> bool:
        """Return whether some job waits for the job `name`, as far as can be known here."""
        return name in self.by_upstream or not self.is_complete


def load_followers(alias: str) -> Followers:
    """Return the jobs that wait for others, in one statement that reads no other jobs."""
    waiting = tuple(each.name for each in registry if each.depends_on)
    rows = ask(_followers(tuple(each.name for each in registry), waiting), alias)
    by_upstream: dict[str, list[Follower]] = {}
    is_complete = True
    for pk, name, definition, text in rows:
        depends_on = _depends_on(definition, text)
        if depends_on is None:
            is_complete = False
            continue
        follower = Follower(pk=pk, name=name, is_foreign=definition not in registry, depends_on=depends_on)
        for upstream in depends_on:
            by_upstream.setdefault(upstream, []).append(follower)
    return Followers(by_upstream=by_upstream, is_complete=is_complete)


@lru_cache(maxsize=4)
def _followers(known: tuple[str, ...], waiting: tuple[str, ...]) -> Callable[[str], QuerySet[Any]]:
    """Return what makes the question for the jobs that wait for others, where these definitions are `known`, and these wait."""

    def make(alias: str) -> QuerySet[Any]:
        # A job that is foreign here, and broken, is one that no node knows.
        foreign = Q(depends_on__isnull=True, broken_reason="") & ~Q(definition__in=known)
        # By its name: jobs are checked by what this module says.
        jobs = apps.get_model("cronjobs", "Job")._default_manager.using(alias)  # noqa: SLF001 - Django's documented API
        rows = jobs.filter(Q(depends_on__isnull=False) | Q(definition__in=waiting) | foreign)
        return rows.order_by("name").values_list(*_COLUMNS)

    return make


def load_graph(jobs: QuerySet[Job]) -> dict[str, Dependencies]:
    """Return what each job waits for, by its name; nothing, where that is unknown or cannot be understood."""
    return load_graph_and_ids(jobs)[0]


def load_graph_and_ids(jobs: QuerySet[Job]) -> tuple[dict[str, Dependencies], dict[str, int]]:
    """Return what `load_graph` returns, and each job's primary key, by the same names."""
    rows = list(jobs.order_by("name").values_list(*_COLUMNS))
    graph = {name: _depends_on(definition, text) or {} for _, name, definition, text in rows}
    return graph, {name: pk for pk, name, _, _ in rows}


def effective_dependencies(job: Job) -> Dependencies:
    """Return what the job waits for; nothing, where that is unknown or cannot be understood."""
    return _depends_on(job.definition, job.depends_on) or {}


def _depends_on(definition: str, text: str | None) -> Dependencies | None:
    """Return what a job waits for; None if it is what a definition says that this code does not have."""
    if text is None:
        known = registry.get(definition)
        return None if known is None else known.depends_on
    try:
        return parse_dependencies(text)
    except InvalidDependency:
        # The job is broken, and waits for somebody to mend it.
        return {}
