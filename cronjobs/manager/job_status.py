"""What the status says of each job, as JSON data and as text: made again only when it changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar, NamedTuple

from django.db import connections
from django.db.models import OuterRef, Q, QuerySet, Subquery, TextField, Value
from django.db.models.functions import Concat
from django.utils import timezone

from cronjobs.database import DatabaseNow, engine_alias, readable_time
from cronjobs.manager.facts import JobFacts, KnownJob, known_jobs, with_text
from cronjobs.models import Job, JobExecution
from cronjobs.models.asking import Row, ask
from cronjobs.registry import is_valid_name
from cronjobs.scheduler.agenda import next_run_times
from cronjobs.storable import json_text, rfc3339

_SPACE = Value(" ")


class JobStatus(NamedTuple):
    """What is said of a job, and the text of the same as a member, with the job's name, of a JSON object."""

    document: Mapping[str, Any]
    member: str


class JobStatuses(NamedTuple):
    """What is said of several jobs, by name and in their order, and the text of it: the members of a JSON object."""

    by_name: Mapping[str, JobStatus]
    members: str


class _Present(NamedTuple):
    """What is so of a job at the moment."""

    last_run: str | None
    next_run: datetime | None
    executing: int
    overrunning: int
    is_paused: bool
    is_everything_paused: bool
    is_running: bool


class _Asked(NamedTuple):
    """All that the statuses of several jobs depend on, beside the time."""

    rows: list[Row]
    jobs: Mapping[int, KnownJob]
    next_runs: Mapping[int, datetime]
    executing: Counter[int | None]
    overrunning: Counter[int | None]
    is_everything_paused: bool
    is_running: bool


class _Said(NamedTuple):
    """What was said of all jobs, when, of what, and until when it is so: then a pause ends."""

    asked: _Asked
    at: datetime
    until: datetime | None
    statuses: JobStatuses


class _Last:
    """What was said of all jobs last; replaced as one, since threads ask."""

    said: ClassVar[_Said | None] = None


def job_statuses(names: Collection[str] | None, *, is_running: bool, is_everything_paused: bool) -> JobStatuses:
    """Return what is to be said of the jobs with these `names` (None: of all).

    `is_running` says that a node is alive. Takes a number of queries that does not grow.
    """
    rows = list(_rows(names))
    jobs = known_jobs({pk: text for pk, text, _ in rows})
    asked = _Asked(rows, jobs, next_run_times(), *_count_running(), is_everything_paused, is_running)
    now = timezone.now()
    if names is not None:
        return _statuses(asked, now)
    said = _Last.said
    if said is None or said.asked != asked or not _is_still_so(said, now):
        said = _Said(asked, now, _next_end_of_a_pause(jobs.values(), now), _statuses(asked, now))
        _Last.said = said
    return said.statuses


def _is_still_so(said: _Said, now: datetime) -> bool:
    return said.at <= now and (said.until is None or now < said.until)


def _next_end_of_a_pause(jobs: Iterable[KnownJob], now: datetime) -> datetime | None:
    ends = (each.facts.paused_until for each in jobs)
    return min((end for end in ends if end is not None and end > now), default=None)


def _statuses(asked: _Asked, now: datetime) -> JobStatuses:
    found: dict[str, JobStatus] = {}
    last_runs = {pk: last_run for pk, _, last_run in asked.rows}
    for pk, job in sorted(asked.jobs.items(), key=lambda each: each[1].facts.name):
        present = _Present(
            last_runs[pk],
            asked.next_runs.get(pk),
            asked.executing.get(pk, 0),
            asked.overrunning.get(pk, 0),
            asked.is_everything_paused or job.facts.is_paused_at(now),
            asked.is_everything_paused,
            asked.is_running,
        )
        # Between two requests hardly any of a thousand jobs has started.
        found[job.facts.name] = job.made(_describe, present)
    return JobStatuses(found, ",".join(each.member for each in found.values()))


def _rows(names: Collection[str] | None) -> Iterable[Row]:
    """Return of each job, in any order: key, text, and its last run."""
    alias = engine_alias(Job)
    if names is None:
        return ask(_rows_of_all, alias)
    # Nothing else can be a name, and a database may refuse to look for it.
    return _rows_of_all(alias).filter(name__in=[each for each in names if is_valid_name(each)])


def _rows_of_all(alias: str) -> QuerySet[Any]:
    return _with_last_run(with_text(Job.objects.using(alias))).order_by().values_list("pk", "text", "last_run")


def _with_last_run(jobs: QuerySet[Any]) -> QuerySet[Any]:
    """Annotate each job's latest start as a text, which takes one step in an index, and the row that it names.

    It has the status, the duration in ms or nothing, and the time, which only here may hold spaces.
    """
    executions = JobExecution.objects.using(jobs.db).filter(job=OuterRef("pk"))
    if not connections[jobs.db].features.order_by_nulls_first:
        # Where NULL comes last anyway, the condition would make a job that never started read all that it has.
        executions = executions.filter(started_at__isnull=False)
    text = Concat("status", _SPACE, "duration_ms", _SPACE, "started_at", output_field=TextField())
    latest = executions.order_by("-started_at", "-pk").values(text=text)[:1]
    annotated: QuerySet[Any] = jobs.annotate(last_run=Subquery(latest, output_field=TextField()))
    return annotated


def _count_running() -> tuple[Counter[int | None], Counter[int | None]]:
    """Return how many executions of each job run now, and how many of these longer than their timeout."""
    rows = ask(_running, engine_alias(JobExecution))
    return Counter(job_id for job_id, _ in rows), Counter(job_id for job_id, is_late in rows if is_late)


def _running(alias: str) -> QuerySet[Any]:
    # Not grouped by the database, which would not read them in this order then.
    rows = JobExecution.objects.using(alias).running().by_due_time()
    return rows.annotate(is_late=Q(deadline_at__lt=DatabaseNow())).values_list("job_id", "is_late")


def _describe(job: JobFacts, present: _Present) -> JobStatus:
    # The clock row of a job that was just stopped keeps its time until a node has seen that.
    due = present.next_run if job.is_active and not present.is_everything_paused else None
    document = {
        "running": job.enabled and not present.is_paused and present.is_running,
        "scheduled": due is not None,
        "enabled": job.enabled,
        "paused": present.is_paused,
        "pausedUntil": _time(job.paused_until) if present.is_paused and job.paused else None,
        "schedule": job.schedule or None,
        "description": job.description,
        "dependsOn": dict(job.depends_on),
        "timeZone": job.time_zone,
        "nextRun": _time(due),
        "broken": bool(job.why_broken),
        "brokenReason": job.why_broken or None,
        **_describe_last_run(present.last_run),
        "executing": present.executing,
        "overrunning": present.overrunning,
    }
    return JobStatus(document, f"{json_text(job.name)}:{json_text(document)}")


def _describe_last_run(text: str | None) -> dict[str, Any]:
    status, duration, time = ("", "", "") if text is None else text.split(" ", 2)
    started_at = readable_time(time)
    if started_at is None:
        return {"lastRun": None, "lastStatus": None, "lastDurationMs": None}
    return {
        "lastRun": rfc3339(started_at),
        "lastStatus": status,
        "lastDurationMs": int(duration) if duration.isdigit() else None,
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)
