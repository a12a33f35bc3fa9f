"""System checks of what it takes for Celery workers to perform jobs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.core import checks

from cronjobs.checks._database import has_table
from cronjobs.conf import get_settings
from cronjobs.database import engine_alias
from cronjobs.exceptions import CronJobsError, InvalidSettings
from cronjobs.executors.celery import make_diagnosis
from cronjobs.models import ExecutorName, Job, JobExecution, ResolvedJob
from cronjobs.models.loading import load_jobs
from cronjobs.registry import registry


@checks.register("cronjobs")
def check_celery_app(**_: Any) -> list[checks.CheckMessage]:
    """E004, E005: no worker can be reached through CELERY_APP. W012, W014, W016, W018, I001, I002: it could be set up better."""
    if not _is_wanted():
        return []
    try:
        diagnosis = make_diagnosis()
    except InvalidSettings as error:
        hint = "It is a path such as project.celery.app; Celery itself comes with pip install 'cronjobs[celery]'."
        return [checks.Error(str(error), hint=hint, id="cronjobs.E004")]
    return list(diagnosis.of_app(each.queue for each in _by_celery(_jobs_of_definitions())))


@checks.register("cronjobs")
def check_celery_definitions(**_: Any) -> list[checks.CheckMessage]:
    """W013, W015: a time that Celery knows of is too short for a definition; W017: one wants Celery, and there is no app."""
    try:
        settings = get_settings()
    except InvalidSettings:
        return []
    if settings.celery_app:
        return _of_times(_jobs_of_definitions())
    hint = "Set CRONJOBS['CELERY_APP'], or another executor."
    return [
        checks.Warning(
            "Celery is to perform the job, and CRONJOBS['CELERY_APP'] names no app: it is broken.",
            hint=hint,
            obj=each.name,
            id="cronjobs.W017",
        )
        for each in registry
        if settings.queue_executors.get(each.queue, each.executor) == ExecutorName.CELERY
    ]


@checks.register("cronjobs", checks.Tags.database)
def check_celery_jobs(*, databases: Any = None, **_: Any) -> list[checks.CheckMessage]:
    """W013, W015: as for definitions, of jobs that operators have given a timeout, a queue or an executor of their own."""
    alias = engine_alias(JobExecution)
    if not _is_wanted() or not databases or alias not in databases or not has_table(alias):
        return []
    jobs = load_jobs(Job.objects.using(alias).filter(enabled=True).resolvable())
    own = [
        each for each in jobs if each.timeout is not None or each.queue or each.executor or each.name not in registry
    ]
    return _of_times(own)


def _is_wanted() -> bool:
    try:
        return bool(get_settings().celery_app)
    except InvalidSettings:
        return False


def _jobs_of_definitions() -> list[Job]:
    """Return what each definition would be as a job of which nobody has decided anything."""
    return [Job(name=each.name, definition=each.name) for each in registry]


def _by_celery(jobs: Iterable[Job]) -> Iterator[ResolvedJob]:
    """Return the effective values of those that Celery performs; broken ones are told of elsewhere."""
    for each in jobs:
        try:
            resolved = each.resolve()
        except CronJobsError:
            continue
        if resolved.executor == ExecutorName.CELERY:
            yield resolved


def _of_times(jobs: Iterable[Job]) -> list[checks.CheckMessage]:
    found = list(_by_celery(jobs))
    try:
        diagnosis = make_diagnosis() if found else None
    except InvalidSettings:
        return []
    return [] if diagnosis is None else [message for each in found for message in diagnosis.of_time(each)]
