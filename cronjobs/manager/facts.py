"""What jobs come to, worked out once for as long as their rows, the settings and their definitions stay as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from django.db.models import QuerySet

from cronjobs.conf import Settings, get_settings
from cronjobs.database import engine_alias
from cronjobs.dependencies import Dependencies
from cronjobs.models import Job, ResolvedJob
from cronjobs.models.asking import RowText, ask
from cronjobs.models.graph import effective_dependencies
from cronjobs.models.job import PLAN_COLUMNS
from cronjobs.models.loading import load_jobs
from cronjobs.registry import registry

# What people read, and what nodes only compare.
_DECIDES_NOTHING = {"description", "owner", "created_at", "updated_at", "planned_at"}
_DECIDES_NOTHING |= {f"planned_{each}" for each in PLAN_COLUMNS}
# More than this many jobs are worked out anew each time.
_MOST = 20_000

# By which to tell whether a row has changed; None, if that is too long for the database.
Text = str | bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFacts:
    """What is so of a job whatever happens, until somebody changes it."""

    name: str
    enabled: bool
    paused: bool
    paused_until: datetime | None
    is_active: bool
    schedule: str
    description: str | None
    time_zone: str | None
    depends_on: Dependencies
    why_broken: str
    # None: it is broken.
    resolved: ResolvedJob | None

    def is_paused_at(self, now: datetime) -> bool:
        """Return whether the job itself is paused, and not only until a time that has passed."""
        return self.paused and (self.paused_until is None or self.paused_until > now)


class KnownJob:
    """The facts of a job, what they depend on, and what was made of them last."""

    __slots__ = ("_made", "basis", "definition", "facts")

    def __init__(self, basis: tuple[Any, ...], definition: str, facts: JobFacts) -> None:
        self.basis, self.definition, self.facts = basis, definition, facts
        self._made: tuple[Any, Any] = (None, None)

    def made(self, make: Callable[[JobFacts, Any], Any], of: Any) -> Any:
        """Return what `make` makes of the facts and of `of`; again the same object, if it was that the last time."""
        before, made = self._made
        if before != of:
            made = make(self.facts, of)
            self._made = (of, made)
        return made


# By primary key: one for each job, however often it is edited.
_known: dict[int, KnownJob] = {}


class _Last:
    """What was asked for last, and found; replaced as one, since threads ask.

    Between two requests hardly ever has any of a thousand jobs changed: to look at each takes longer than this.
    """

    found: ClassVar[tuple[tuple[Any, ...] | None, dict[int, KnownJob]]] = (None, {})


def with_text(jobs: QuerySet[Job]) -> QuerySet[Any]:
    """Annotate the `text` of each row that `known_jobs` compares."""
    columns = [each.attname for each in Job._meta.concrete_fields if each.attname not in _DECIDES_NOTHING]  # noqa: SLF001 - Django's documented API
    return jobs.annotate(text=RowText(*columns, "calendar__name", "calendar__dates"))


def all_known_jobs() -> dict[int, JobFacts]:
    """Return what is so of every job, by primary key; takes one query, or two if some have to be worked out."""
    return {pk: known.facts for pk, known in known_jobs(dict(ask(_texts, engine_alias(Job)))).items()}


def known_jobs(texts: Mapping[int, Text]) -> Mapping[int, KnownJob]:
    """Return the jobs that have these texts, all by primary key.

    Takes a query if some have to be worked out. A job that was deleted meanwhile is left out. Not to be changed.
    """
    settings = get_settings()
    basis = (texts, settings, registry.contents())
    before, found = _Last.found
    if before != basis:
        found = _looked_up(texts, settings)
        _Last.found = (basis if _are_of(found, texts) else None, found)
    return found


def _are_of(found: Mapping[int, KnownJob], texts: Mapping[int, Text]) -> bool:
    """Return whether these jobs are what these texts are of: a row may be edited, or lost, between two questions.

    Whether what has no text is the same as before, nobody knows.
    """
    return all(text is not None and pk in found and found[pk].basis[0] == text for pk, text in texts.items())


def _looked_up(texts: Mapping[int, Text], settings: Settings) -> dict[int, KnownJob]:
    found = {pk: known for pk, text in texts.items() if (known := _remembered(pk, text, settings))}
    if unknown := {pk: text for pk, text in texts.items() if pk not in found}:
        worked_out = _work_out(unknown, settings)
        if len(_known) + len(worked_out) > _MOST:
            # Also what is remembered of jobs that are gone.
            _known.clear()
        _known.update(worked_out)
        found |= worked_out
    return found


def _texts(alias: str) -> QuerySet[Any]:
    return with_text(Job.objects.using(alias)).order_by().values_list("pk", "text")


def _remembered(pk: int, text: Text, settings: Settings) -> KnownJob | None:
    known = _known.get(pk)
    is_so_still = known is not None and text is not None and known.basis == _basis(text, settings, known.definition)
    return known if is_so_still else None


def _basis(text: Text, settings: Settings, definition: str) -> tuple[Any, ...]:
    """Return all that facts depend on, to be compared; of what is there by name, what it is now."""
    # Without a definition the reasons are told: what could not be imported.
    return text, settings, registry.get(definition) or tuple(registry.problems)


def _work_out(texts: Mapping[int, Text], settings: Settings) -> dict[int, KnownJob]:
    found = {}
    # Joined, since the text reads the calendar anyway.
    for job in load_jobs(with_text(Job.objects.filter(pk__in=texts).select_related("calendar"))):
        # It may have been edited since the texts were read; its own, unless some rows had to be read apart, is that
        # of the columns that were loaded.
        text = getattr(job, "text", texts[job.pk])
        found[job.pk] = KnownJob(_basis(text, settings, job.definition), job.definition, _facts(job))
    return found


def _facts(job: Job) -> JobFacts:
    why_broken = job.why_broken()
    resolved = None if why_broken else job.resolve()
    schedule = None if resolved is None else resolved.schedule
    return JobFacts(
        name=job.name,
        enabled=bool(job.enabled),
        paused=bool(job.paused),
        paused_until=job.paused_until,
        is_active=resolved is not None and resolved.is_active,
        schedule=job.schedule_text(),
        description=None if schedule is None else schedule.describe(),
        time_zone=None if resolved is None else resolved.time_zone,
        depends_on=effective_dependencies(job),
        why_broken=why_broken,
        resolved=resolved,
    )
