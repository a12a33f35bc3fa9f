"""What a request does to the rows of jobs, each in one transaction with the record of who did it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError
from rest_framework.request import Request

from cronjobs.addresses import hidden_address
from cronjobs.api.errors import HasDefinition, InvalidValues, JobExists
from cronjobs.api.jobs.columns import NEW_JOB_KEYS, by_key
from cronjobs.api.requests.actors import actor_of
from cronjobs.conf import get_settings
from cronjobs.database import engine_alias, in_transaction
from cronjobs.exceptions import InvalidRequest, JobNotFound
from cronjobs.journal import Change, changed, record_addition, record_changes, record_deletion
from cronjobs.models import Job
from cronjobs.models.job import JobQuerySet
from cronjobs.registry import is_valid_name, registry
from cronjobs.storable import unmasked_json


def create_job(request: Request, values: Mapping[str, Any]) -> Job:
    """Make the job that has these columns; raise `InvalidValues` and `JobExists`."""
    alias = engine_alias(Job)
    job = Job(**_settled(values, is_paused=False))

    def work() -> None:
        if errors := _mistakes(job):
            raise InvalidValues(by_key(errors, NEW_JOB_KEYS))
        if Job.objects.using(alias).filter(name=job.name).exists():
            raise JobExists(job.name)
        job.save(using=alias, force_insert=True)
        record_addition(actor_of(request), job)

    try:
        in_transaction(alias, work)
    except IntegrityError as error:
        # Somebody else made it in between.
        raise JobExists(job.name) from error
    return job


def update_job(request: Request, name: str, values: Mapping[str, Any]) -> None:
    """Set these columns of the job `name`; raise `JobNotFound` and `InvalidValues`."""

    def work(job: Job) -> None:
        change = _apply(job, _settled(values, is_paused=job.paused))
        if change.after:
            # Only these: a node may write the others at the same time.
            job.save(update_fields=[*change.after, "updated_at"])
            record_changes(actor_of(request), [change])

    _with_locked(name, work)


def delete_job(request: Request, name: str) -> None:
    """Delete the job `name`, not its history; raise `JobNotFound` and `HasDefinition`."""

    def work(job: Job) -> None:
        if name in registry:
            raise HasDefinition(name)
        record_deletion(actor_of(request), job)
        job.delete()

    _with_locked(name, work)


def pause_job(request: Request, name: str, until: datetime | None) -> None:
    """Pause the job `name`, until that time if there is one; raise `JobNotFound` and `InvalidValues`."""
    try:
        _switch(request, name, lambda rows: rows.pause(until=until))
    except InvalidRequest as error:
        raise InvalidValues({"until": [str(error)]}) from error


def resume_job(request: Request, name: str) -> None:
    """Let the job `name` be due again, from now on; raise `JobNotFound`."""
    _switch(request, name, JobQuerySet.resume)


def _switch(request: Request, name: str, change: Callable[[JobQuerySet], int]) -> None:
    def work(job: Job) -> None:
        before = {column: getattr(job, column) for column in ("paused", "paused_until")}
        if change(Job.objects.using(engine_alias(Job)).filter(pk=job.pk)):
            job.refresh_from_db(fields=list(before))
            record_changes(actor_of(request), [changed(job, before).without_what_stayed()])

    _with_locked(name, work)


def _with_locked(name: str, work: Callable[[Job], None]) -> None:
    """Do `work` with the job `name`, which nobody else changes meanwhile; raise `JobNotFound`."""
    if not is_valid_name(name):
        raise JobNotFound(name)
    alias = engine_alias(Job)

    def locked() -> None:
        work(Job.objects.using(alias).resolvable().select_for_update().named(name))

    in_transaction(alias, locked)


def _settled(values: Mapping[str, Any], *, is_paused: bool) -> dict[str, Any]:
    """Return `values` with what follows from them: a pause has an end only while there is one."""
    settled = dict(values)
    if not settled.get("paused", is_paused):
        if settled.get("paused_until") is not None:
            raise InvalidValues({"pausedUntil": ["Only a paused job can resume."]})
        if "paused" in settled:
            settled["paused_until"] = None
    return settled


def _apply(job: Job, values: Mapping[str, Any]) -> Change:
    """Set columns of `job`, and return what this changed; raise `InvalidValues` for what could not be meant.

    What was wrong before and is not touched stops nobody from mending, or disabling, the rest.
    """
    wrong, before = _mistakes(job), {}
    for column, given in values.items():
        stored = getattr(job, column)
        value = _unmasked(column, given, stored)
        if _differs(value, stored) or column in job.unreadable:
            setattr(job, column, value)
            before[column] = stored
    errors = {
        column: messages
        for column, messages in _mistakes(job).items()
        if column in before or messages != wrong.get(column)
    }
    if errors:
        raise InvalidValues(by_key(errors, NEW_JOB_KEYS))
    return changed(job, before)


def _unmasked(column: str, given: Any, stored: Any) -> Any:
    """Return what is given; what is sent back as it was shown, with secrets hidden, is what is stored."""
    if column == "ping_url" and stored and given == hidden_address(stored):
        return stored
    return unmasked_json(given, stored, mask=get_settings().mask) if column == "params" else given


def _differs(value: Any, stored: Any) -> bool:
    if isinstance(value, dict):
        # To Python, but not to a job, true is 1 and 1.0 as well.
        return json.dumps(value, sort_keys=True) != json.dumps(stored, sort_keys=True)
    return bool(value != stored)


def _mistakes(job: Job) -> dict[str, list[str]]:
    """Return what the model says against the job, by column."""
    try:
        job.full_clean(validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        return error.message_dict
    return {}
