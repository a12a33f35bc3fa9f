"""Writes the jobs that do what another scheduler did: all of them in one transaction, or none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from django.db import IntegrityError

from cronjobs.database import engine_alias, in_transaction
from cronjobs.exceptions import InvalidRequest
from cronjobs.importing.planning import Finding, Outcome, effective, objections
from cronjobs.journal import changed, record_addition, record_changes
from cronjobs.models import Job
from cronjobs.security import Actor

# Told how many jobs have been written, and how many there are to be.
Report = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Applied:
    """How many jobs were made, how many changed, and how many of the others were paused."""

    created: int = 0
    changed: int = 0
    paused: int = 0


# Until somebody resumes it, whatever end a pause of before had.
_PAUSE: Final[dict[str, Any]] = {"paused": True, "paused_until": None}
# There is such a job.
_PRESENT: Final = (Outcome.DIFFERS, Outcome.SAME, Outcome.STANDS)


def apply(
    findings: Sequence[Finding],
    *,
    actor: Actor,
    update: bool = False,
    paused: bool = False,
    report: Report = lambda *_: None,
) -> Applied:
    """Make the jobs that are missing and, with `update`, change those that differ, on behalf of `actor`.

    `paused` lets no job that does an entry be due until somebody resumes it, also one that stays as it is. A job
    that is made or changed is due from now on. Raises `InvalidRequest`, and writes nothing, while an entry is
    unreadable, or if somebody else has made or changed one of the jobs since `findings` were made, and
    `JobNotFound` if it was deleted.
    """
    if unreadable := [each.entry.place for each in findings if each.outcome == Outcome.UNREADABLE]:
        raise InvalidRequest(f"Nothing was written, since it is not known what was meant: {', '.join(unreadable)}.")
    wanted = [Outcome.CREATE, *([Outcome.DIFFERS] if update else [])]
    chosen = [each for each in findings if each.outcome in wanted]
    others = [each for each in findings if paused and each.outcome in _PRESENT and each.outcome not in wanted]
    more = _PAUSE if paused else {}
    try:
        return in_transaction(engine_alias(Job), partial(_write, chosen, others, actor, more, report))
    except IntegrityError as error:
        raise InvalidRequest("Somebody else has made one of these jobs meanwhile. Nothing was written.") from error


def _write(
    chosen: Sequence[Finding], others: Sequence[Finding], actor: Actor, more: dict[str, Any], report: Report
) -> Applied:
    created, paused, total = 0, 0, len(chosen) + len(others)
    for number, each in enumerate(chosen, start=1):
        if each.outcome == Outcome.CREATE:
            _create(each, actor, more)
            created += 1
        else:
            _change(each, actor, more)
        report(number, total)
    for number, each in enumerate(others, start=len(chosen) + 1):
        paused += _pause(each, actor)
        report(number, total)
    return Applied(created=created, changed=len(chosen) - created, paused=paused)


def _create(finding: Finding, actor: Actor, more: dict[str, Any]) -> None:
    job = Job(name=finding.job, definition=finding.definition)
    _set(job, {**finding.values, **more})
    job.save(using=engine_alias(Job), force_insert=True)
    record_addition(actor, job)


def _change(finding: Finding, actor: Actor, more: dict[str, Any]) -> None:
    job = Job.objects.using(engine_alias(Job)).resolvable().select_for_update().named(finding.job)
    if any(effective(job, column) != value for column, value in finding.present.items()):
        raise InvalidRequest(f"Somebody else has changed job {job} meanwhile. Nothing was written.")
    before = _set(job, {**finding.values, **more})
    # Only these: a node may write the others at the same time.
    job.save(update_fields=[*before, "updated_at"])
    record_changes(actor, [changed(job, before).without_what_stayed()])


def _pause(finding: Finding, actor: Actor) -> bool:
    """Pause the job and change nothing else of it; return whether it was not paused in this way before."""
    job = Job.objects.using(engine_alias(Job)).resolvable().select_for_update().filter(name=finding.job).first()
    # A definition whose own schedule stands may have no job yet.
    if job is None or all(getattr(job, column) == value for column, value in _PAUSE.items()):
        return False
    before = {column: getattr(job, column) for column in _PAUSE}
    for column, value in _PAUSE.items():
        setattr(job, column, value)
    job.save(update_fields=[*_PAUSE, "updated_at"])
    record_changes(actor, [changed(job, before).without_what_stayed()])
    return True


def _set(job: Job, values: dict[str, Any]) -> dict[str, Any]:
    """Set these columns, and return what they held; raise `InvalidRequest` for what could not be meant."""
    if problems := objections(job, values):
        raise InvalidRequest(f"Job {job}: {problems} Nothing was written.")
    before = {column: getattr(job, column) for column in values}
    for column, value in values.items():
        setattr(job, column, value)
    return before
