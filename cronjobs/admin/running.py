"""Running a job by hand: it writes a row, and says truthfully what will come of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.db.models import Count, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from cronjobs.admin.staff import nobody_at_work
from cronjobs.conf import get_settings, words_to_mask
from cronjobs.database import engine_alias, read_clock
from cronjobs.exceptions import CronJobsError
from cronjobs.models import Job, JobExecution, Node, Queue
from cronjobs.states import ExecutionStatus
from cronjobs.storable import storable_text

# Messages travel in the session or a cookie.
_MOST_NAMED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """A job that somebody asked to run, and the execution recorded for it.

    `is_repeat`: the same click had recorded it already. `waits_for` executions go first.
    """

    job: Job
    execution: JobExecution
    is_repeat: bool
    waits_for: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A job that somebody asked to run and that cannot."""

    job: Job
    reason: str


def run_now(
    jobs: Iterable[Job], *, user: str, token: str, params: Mapping[str, Any] | None = None
) -> list[Queued | Refused]:
    """Record one manual execution of each job.

    `token` names the click: repeated, it leads to the execution that the first one recorded.
    """
    ahead, asked_at = executions_ahead(), read_clock(engine_alias(JobExecution))
    answers: list[Queued | Refused] = []
    for job in jobs:
        reason, execution = _record(job, user, token, params)
        if execution is None:
            answers.append(Refused(job=job, reason=reason))
        else:
            answers.append(queued_answer(job, execution, ahead[job.pk], is_repeat=execution.queued_at < asked_at))
    return answers


def explain(answers: Sequence[Queued | Refused]) -> list[tuple[int, str]]:
    """Return the messages, with their levels, that tell the person what was done and what to expect."""
    queued = [each for each in answers if isinstance(each, Queued) and not each.is_repeat]
    repeats = [each for each in answers if isinstance(each, Queued) and each.is_repeat]
    refused = [each for each in answers if isinstance(each, Refused)]
    found = [_queued_message(queued)] if queued else []
    found += [(messages.INFO, note) for note in _notes(queued)]
    if repeats:
        found.append((messages.INFO, _repeat_message(repeats)))
    found += [(messages.ERROR, text) for text in _refused_messages(refused)]
    return found


def executions_ahead() -> Counter[int | None]:
    """Return, by job, how many executions run or are due: a new one waits for them if the job has a limit."""
    later = Q(status=ExecutionStatus.QUEUED, run_after__gt=timezone.now())
    counts = JobExecution.objects.open().exclude(later).order_by().values_list("job_id").annotate(Count("pk"))
    return Counter(dict(counts))


def _record(job: Job, user: str, token: str, params: Mapping[str, Any] | None) -> tuple[str, JobExecution | None]:
    """Return the execution, or why there is none."""
    if reason := job.why_broken():
        return reason, None
    key = f"admin:{user}:{token}" if token else None
    try:
        return "", JobExecution.objects.request(job.name, params=params, key=key, requested_by=user)
    except CronJobsError as error:
        return storable_text(error, mask=words_to_mask()), None


def queued_answer(job: Job, execution: JobExecution, ahead: int, *, is_repeat: bool) -> Queued:
    """Return what is to be said of `execution`, which came after `ahead` others of its job."""
    limit = job.resolve().concurrency
    waits_for = ahead if limit is not None and ahead >= limit else 0
    return Queued(job=job, execution=execution, is_repeat=is_repeat, waits_for=waits_for)


def _queued_message(queued: Sequence[Queued]) -> tuple[int, str]:
    first, count = queued[0], len(queued)
    if count == 1:
        done = _("Execution #%(id)d of %(job)s was queued") % {"id": first.execution.pk, "job": first.job}
    else:
        done = ngettext("%(count)d execution was queued", "%(count)d executions were queued", count) % {"count": count}
    if reason := nobody_at_work(Node.objects.staff()):
        return messages.WARNING, f"{done}. {reason}"
    if get_settings().paused:
        return messages.WARNING, _("%(done)s, but everything is paused by the settings.") % {"done": done}
    if Queue.objects.everything_paused().exists():
        return messages.WARNING, _("%(done)s, but everything is paused.") % {"done": done}
    return messages.SUCCESS, f"{done}."


def _notes(queued: Sequence[Queued]) -> Iterable[str]:
    now = timezone.now()
    behind = [each.job for each in queued if each.waits_for]
    if behind:
        yield _("An earlier execution is running or waiting, and the new one comes after it: %(jobs)s.") % named(behind)
    disabled = [each.job for each in queued if not each.job.enabled]
    if disabled:
        yield _("Disabled, but a run asked for by hand takes place all the same: %(jobs)s.") % named(disabled)
    closed = set(Queue.objects.paused().values_list("name", flat=True)) if queued else set()
    held = [each.job for each in queued if each.execution.queue in closed]
    if held:
        yield _("It waits until its queue is resumed: %(jobs)s.") % named(held)
    paused = [each.job for each in queued if each.job.enabled and each.job.is_paused_at(now)]
    if paused:
        yield _("Paused, but a run asked for by hand takes place all the same: %(jobs)s.") % named(paused)


def _repeat_message(repeats: Sequence[Queued]) -> str:
    if len(repeats) > 1:
        return _("Nothing was queued twice: the same click had queued %(jobs)s.") % named([e.job for e in repeats])
    facts = {"id": repeats[0].execution.pk, "job": repeats[0].job}
    return _("Nothing was queued twice: the same click had queued execution #%(id)d of %(job)s.") % facts


def _refused_messages(refused: Sequence[Refused]) -> Iterable[str]:
    for each in refused[:_MOST_NAMED]:
        yield _("Not queued: %(job)s. %(reason)s") % {"job": each.job, "reason": each.reason}
    more = len(refused) - _MOST_NAMED
    if more > 0:
        yield ngettext("%d more job was not queued.", "%d more jobs were not queued.", more) % more


def named(jobs: Sequence[Job]) -> dict[str, str]:
    """Return names of jobs as a parameter `jobs` of a message, not too many of them."""
    names = ", ".join(job.name for job in jobs[:_MOST_NAMED])
    more = len(jobs) - _MOST_NAMED
    return {"jobs": names if more <= 0 else _("%(names)s and %(more)d more") % {"names": names, "more": more}}
