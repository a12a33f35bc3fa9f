"""What a message needs to know, gathered when it is decided: later the rows may say something else, or be gone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from cronjobs.alerting.changes import Change, Told
from cronjobs.alerting.evidence import Evidence, WatchedJob
from cronjobs.alerts import AlertKind
from cronjobs.conf import get_settings
from cronjobs.language import gettext as _
from cronjobs.language import ngettext
from cronjobs.models import ExecutionLog, JobExecution
from cronjobs.models.loading import load_each
from cronjobs.models.log_lines import level_name
from cronjobs.storable import bounded_json, rfc3339, storable_text

# Of a description, an error's message, a reason and a line, in bytes.
_LONGEST_TEXT = 4_000
# In bytes of JSON, which has six for one control character: there is room for all facts, and for some lines.
_LONGEST_FACTS = 100_000
_COLUMNS = (
    "job_name",
    "status",
    "attempt",
    "max_attempts",
    "node",
    "due_at",
    "started_at",
    "finished_at",
    "duration_ms",
    "error_type",
    "error_message",
    "reason",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A change with the facts of each message about it, and the names of the notifiers that send them."""

    change: Change
    facts: tuple[dict[str, Any], ...] = ()
    notifiers: tuple[str, ...] = ()


def compose(found: Evidence, changes: Sequence[Change]) -> list[Draft]:
    """Return each of `changes` with all that is told of it, as JSON data with secrets masked."""
    rows = _executions(told.execution_id for each in changes for told in each.told)
    return [_draft(found, each, rows) for each in changes]


def _draft(found: Evidence, change: Change, rows: Mapping[int, JobExecution]) -> Draft:
    if not change.told:
        return Draft(change=change)
    job = found.jobs.get(change.job_id or 0)
    about = [_About(found.now, change.kind, told, job, rows.get(told.execution_id or 0)) for told in change.told]
    facts = tuple(_facts(each) for each in about)
    return Draft(change=change, facts=facts, notifiers=_notifiers(None if job is None else job.policy.to))


def _notifiers(wanted: tuple[str, ...] | None) -> tuple[str, ...]:
    """Return those of `wanted` that the settings have; None: all, or the settings' choice."""
    settings = get_settings()
    chosen = settings.alerts.to if wanted is None else wanted
    return tuple(name for name in settings.notifiers if chosen is None or name in chosen)


class _About(NamedTuple):
    """What one message is about."""

    now: datetime
    kind: AlertKind
    told: Told
    job: WatchedJob | None
    execution: JobExecution | None

    @property
    def since(self) -> str:
        return _shown(self.told.since)


def _executions(ids: Iterable[int | None]) -> dict[int, JobExecution]:
    wanted = {pk for pk in ids if pk is not None}
    if not wanted:
        return {}
    readable, _ = load_each(JobExecution.objects.filter(pk__in=wanted).only(*_COLUMNS))
    return {each.pk: each for each in readable}


def _facts(about: _About) -> dict[str, Any]:
    job, execution = about.job, about.execution
    facts = {
        **({} if job is None else _of_job(job)),
        **({} if execution is None else _of_execution(execution)),
        "since": _moment(about.told.since),
        "details": _details(about),
    }
    masked, size = bounded_json(facts, max_bytes=_LONGEST_FACTS, mask=get_settings().mask)
    if execution is not None and not about.told.is_resolution:
        masked["log_lines"] = _newest_of(_log_lines(execution.pk), room=_LONGEST_FACTS - size)
    return dict(masked)


def _newest_of(lines: Sequence[dict[str, Any]], *, room: int) -> list[dict[str, Any]]:
    """Return the last of `lines`, masked, as many as `room` bytes of JSON have place for: a long log must not push out the rest."""
    kept: list[dict[str, Any]] = []
    for each in reversed(lines):
        line, size = bounded_json(each, max_bytes=_LONGEST_FACTS, mask=get_settings().mask)
        room -= size
        if room < 0:
            break
        kept.append(line)
    return kept[::-1]


def _of_job(job: WatchedJob) -> dict[str, Any]:
    return {
        "job_id": job.pk,
        "owner": job.owner,
        "description": storable_text(job.description, max_bytes=_LONGEST_TEXT),
        "runbook_url": job.runbook_url,
    }


def _of_execution(execution: JobExecution) -> dict[str, Any]:
    return {
        "status": execution.status,
        "attempt": execution.attempt,
        "max_attempts": execution.max_attempts,
        "node": execution.node,
        "due_at": _moment(execution.due_at),
        "started_at": _moment(execution.started_at),
        "finished_at": _moment(execution.finished_at),
        "duration_ms": execution.duration_ms,
        "error_type": execution.error_type,
        "error_message": storable_text(execution.error_message, max_bytes=_LONGEST_TEXT),
    }


def _log_lines(execution_id: int) -> list[dict[str, Any]]:
    """Return the last lines of an execution's log, oldest first."""
    newest = ExecutionLog.objects.filter(execution_id=execution_id).order_by("-attempt", "-number")
    lines, _ = load_each(newest[: get_settings().alerts.log_lines])
    return [
        {
            "time": _moment(each.logged_at),
            "level": level_name(each),
            "message": storable_text(each.message, max_bytes=_LONGEST_TEXT),
        }
        for each in reversed(lines)
    ]


def _details(about: _About) -> str:
    """Return what there is to say in a sentence or two, in the site's language: it is stored."""
    if about.told.is_resolution:
        return _("The trouble began at %(since)s.") % {"since": about.since} if about.since else ""
    return _SENTENCES[about.kind](about)


def _failing(about: _About) -> str:
    count = about.told.failures
    if count <= 1:
        return _("The last execution has failed.")
    return ngettext("The last %(count)d execution has failed.", "The last %(count)d executions have failed.", count) % {
        "count": count
    }


def _reason(about: _About) -> str:
    return "" if about.execution is None else storable_text(about.execution.reason, max_bytes=_LONGEST_TEXT)


def _late(about: _About) -> str:
    text = _("It has been due since %(since)s, and should start within %(limit)s.")
    return text % {"since": about.since, "limit": _span(about, "late_after")}


def _overrunning(about: _About) -> str:
    if about.job is None or about.job.policy.expected_duration is None:
        text = _("It has been running since %(since)s, longer than its timeout; a thread cannot be stopped.")
        return text % {"since": about.since}
    text = _("It has been running since %(since)s; %(limit)s were expected.")
    return text % {"since": about.since, "limit": _span(about, "expected_duration")}


def _no_success(about: _About) -> str:
    text = _("Nothing has succeeded since %(since)s, for more than %(limit)s.")
    return text % {"since": about.since, "limit": _span(about, "no_success_after")}


def _process_gone(about: _About) -> str:
    return _("Its last heartbeat was at %(since)s, and it did not say that it stops.") % {"since": about.since}


def _queue_stuck(about: _About) -> str:
    text = _("What waits in it has been due since %(since)s, and nothing of it runs.")
    return text % {"since": about.since}


def _mongodb(about: _About) -> str:
    text = _("It did not answer at %(time)s. Jobs that need it fail until it does.")
    return text % {"time": _shown(about.now)}


_SENTENCES: Mapping[AlertKind, Callable[[_About], str]] = {
    AlertKind.FAILING: _failing,
    AlertKind.MISSED: _reason,
    AlertKind.LOST: _reason,
    AlertKind.LATE: _late,
    AlertKind.OVERRUNNING: _overrunning,
    AlertKind.NO_SUCCESS: _no_success,
    AlertKind.NODE_GONE: _process_gone,
    AlertKind.WORKER_GONE: _process_gone,
    AlertKind.QUEUE_STUCK: _queue_stuck,
    AlertKind.MONGODB_UNREACHABLE: _mongodb,
}


def _span(about: _About, column: str) -> str:
    return "" if about.job is None else _in_words(getattr(about.job.policy, column))


def _in_words(span: timedelta) -> str:
    """Return a limit as a person would say it, such as "1 h 30 min" or "0.5 s"."""
    minutes, seconds = divmod(span.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    rest = seconds + span.microseconds / 1_000_000
    parts = ((span.days, "d"), (hours, "h"), (minutes, "min"), (rest, "s"))
    return " ".join(f"{number:g} {unit}" for number, unit in parts if number) or "0 s"


def _shown(at: datetime | None) -> str:
    return "" if at is None else f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _moment(at: datetime | None) -> str | None:
    return None if at is None else rfc3339(at)
