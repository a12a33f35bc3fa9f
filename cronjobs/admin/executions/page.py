"""Everything there is to know about one execution, made ready for its template."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from cronjobs.admin import rendering
from cronjobs.admin.badges import overrun_badge, status_badge, stop_badge
from cronjobs.admin.executions.flows import flow_section
from cronjobs.admin.executions.progress import progress_figures, progress_of
from cronjobs.admin.executions.relations import node_link, relations, stop_request, waits_for
from cronjobs.models import ExecutionAttempt, Job, JobExecution, Trigger
from cronjobs.models.waiting import why_waiting
from cronjobs.states import ExecutionStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A row of the table of attempts."""

    row: ExecutionAttempt
    badge: SafeString
    started: str
    duration: str


def execution_page(execution: JobExecution) -> dict[str, Any]:
    """Return the template's variables, but for those of the log."""
    now = timezone.now()
    progress = progress_of(execution, now=now)
    return {
        "title": f"{execution.job_name} #{execution.pk}",
        "execution": execution,
        "badge": status_badge(execution.status),
        "overrun": overrun_badge(execution, now=now),
        "stop": stop_badge(execution),
        "job": Job.objects.filter(pk=execution.job_id or 0).first(),
        "figures": [
            (label, value)
            for label, value in (*_figures(execution, now), *progress_figures(progress))
            if value != rendering.NOTHING
        ],
        "progress_message": progress.message if progress else "",
        "facts": [(label, value) for label, value in _facts(execution, now) if value],
        "moments": list(_moments(execution)),
        "missed": _missed(execution),
        **flow_section(execution, now=now),
        "params": rendering.pretty_json(execution.params) if execution.params else None,
        "result": None if execution.result is None else rendering.pretty_json(execution.result),
        "attempts": [_attempt(each) for each in execution.attempts.all()],
    }


def _figures(execution: JobExecution, now: datetime) -> Iterator[tuple[str, str]]:
    if execution.status == ExecutionStatus.MISSED:
        return
    yield _("Duration"), rendering.running_time(execution, now=now)
    yield _("Late by"), rendering.lateness(execution.lateness)
    yield _("Attempt"), _("%(attempt)d of %(most)d") % {"attempt": execution.attempt, "most": execution.max_attempts}
    yield _("Peak memory"), rendering.memory(execution.peak_rss_bytes)
    yield _("CPU time"), rendering.duration(rendering.milliseconds(execution.cpu_ms))


def _facts(execution: JobExecution, now: datetime) -> Iterator[tuple[str, str]]:
    yield _("Trigger"), execution.get_trigger_display()
    yield _("Waits for"), waits_for(execution)
    yield _("Waits because"), why_waiting(execution, now=now)
    yield _("Requested by"), execution.requested_by
    yield _("Asked to stop"), stop_request(execution)
    yield from relations(execution)
    yield _("Node"), node_link(execution)
    yield _("Queue"), execution.queue
    yield _("Priority"), execution.get_priority_display()


def _is_jittered(execution: JobExecution) -> bool:
    # What repeats another execution, or runs after it, is due later than the time that it stands for, without any jitter.
    is_planned = execution.trigger in (Trigger.SCHEDULE, Trigger.CATCH_UP)
    return is_planned and execution.due_at != execution.scheduled_for


def _moments(execution: JobExecution) -> Iterator[tuple[str, SafeString, str]]:
    """Yield label, local time and UTC of what has happened, in the order of a life."""
    rows: Iterable[tuple[str, datetime | None]] = (
        (_("Scheduled for"), execution.scheduled_for),
        (_("With jitter"), execution.due_at if _is_jittered(execution) else None),
        (_("Recorded"), execution.queued_at),
        (_("Not before"), execution.run_after),
        (_("Handed to the broker"), execution.dispatched_at),
        (_("First started"), execution.first_started_at),
        (_("Last started"), execution.started_at),
        (_("Timeout at"), execution.deadline_at),
        (_("Asked to stop"), execution.cancel_requested_at),
        (_("Finished"), execution.finished_at),
        (_("Claimed until"), execution.lease_expires_at),
    )
    for label, at in rows:
        if at is not None:
            yield label, rendering.local_moment(at), rendering.utc_moment(at)


def _missed(execution: JobExecution) -> dict[str, Any] | None:
    first, last, count = execution.missed_from, execution.missed_until, execution.missed_count
    if first is None or last is None or count is None:
        return None
    many = _("More than 10,000 due times") if count > 10_000 else ngettext("%d due time", "%d due times", count) % count
    spans = [
        (label, rendering.local_moment(at), rendering.utc_moment(at))
        for label, at in ((_("First"), first), (_("Last"), last))
    ]
    return {"count": many, "moments": spans}


def _attempt(row: ExecutionAttempt) -> Attempt:
    return Attempt(
        row=row,
        badge=status_badge(row.status),
        started=rendering.moment(row.started_at),
        duration=rendering.lines(rendering.duration(rendering.milliseconds(row.duration_ms)), _used(row)),
    )


def _used(row: ExecutionAttempt) -> str:
    """Return what the attempt's process used; empty if it was not measured."""
    if row.peak_rss_bytes is None or row.cpu_ms is None:
        return ""
    parts = {
        "memory": rendering.memory(row.peak_rss_bytes),
        "cpu": rendering.duration(rendering.milliseconds(row.cpu_ms)),
    }
    return rendering.quiet(_("%(memory)s, %(cpu)s of CPU time") % parts)
