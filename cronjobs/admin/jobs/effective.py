"""What a job's policy columns come to, and where each value comes from."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from cronjobs.addresses import hidden_address
from cronjobs.admin import rendering
from cronjobs.alerts import AlertKind
from cronjobs.dependencies import dependencies_text
from cronjobs.exceptions import CronJobsError
from cronjobs.models import ExecutorName, Job, Overlap, Priority, ResolvedJob
from cronjobs.models.choices import CATCH_UP_CHOICES
from cronjobs.registry import registry

# Every column whose NULL means: inherit; with the effective value, for a person to read.
_EFFECTIVE: Mapping[str, Callable[[ResolvedJob], Any]] = {
    "schedule": lambda job: _("on demand only") if job.schedule is None else str(job.schedule),
    "time_zone": lambda job: job.time_zone,
    "jitter": lambda job: job.jitter,
    "misfire_grace": lambda job: job.misfire_grace,
    "catch_up": lambda job: dict(CATCH_UP_CHOICES)[job.catch_up.value],
    "overlap": lambda job: Overlap(job.overlap).label,
    "max_instances": lambda job: job.max_instances,
    "queue": lambda job: job.queue,
    "priority": lambda job: dict(Priority.choices).get(job.priority, job.priority),
    "max_attempts": lambda job: job.retry.max_attempts,
    "initial_delay": lambda job: job.retry.initial_delay,
    "max_delay": lambda job: job.retry.max_delay,
    "backoff_multiplier": lambda job: f"{job.retry.backoff_multiplier:g}",
    "rerun_lost": lambda job: job.rerun_lost,
    "rate_limit": lambda job: job.rate_limit,
    "executor": lambda job: ExecutorName(job.executor).label,
    "timeout": lambda job: job.timeout,
    "memory_limit": lambda job: None if job.memory_limit is None else rendering.memory(job.memory_limit),
    "cpu_limit": lambda job: job.cpu_limit,
    "depends_on": lambda job: dependencies_text(job.depends_on) or None,
    "alert_on": lambda job: ", ".join(str(AlertKind(kind).label) for kind in job.alerts.on or ()) or None,
    "alert_to": lambda job: _("all notifiers") if job.alerts.to is None else ", ".join(job.alerts.to) or None,
    "alert_after": lambda job: job.alerts.after,
    "late_after": lambda job: job.alerts.late_after,
    "expected_duration": lambda job: job.alerts.expected_duration,
    "no_success_after": lambda job: job.alerts.no_success_after,
    # Whoever knows the rest of it can report what never happened.
    "ping_url": lambda job: hidden_address(job.ping_url) or None,
    "runbook_url": lambda job: job.runbook_url or None,
}


def effective_values(job: Job) -> dict[str, str]:
    """Return the effective value of every column that may inherit; empty if the job is broken."""
    try:
        resolved = job.resolve()
    except CronJobsError:
        return {}
    return {column: _text(value(resolved)) for column, value in _EFFECTIVE.items()}


def inherited_values(*, name: str, definition: str) -> dict[str, str]:
    """Return what a job would use that sets nothing itself; empty if that cannot be known."""
    values = effective_values(Job(name=name, definition=definition))
    if values and (params := registry[definition].params):
        values["params"] = json.dumps(rendering.masked(params), ensure_ascii=False)
    return values


def set_here(job: Job) -> list[str]:
    """Return the columns that the job sets itself, where it could leave them to its definition and the settings."""
    return [column for column in (*_EFFECTIVE, "params") if getattr(job, column) != unset_value(column)]


def unset_value(column: str) -> Any:
    """Return what a column holds of a job that leaves it to its definition and the settings."""
    return {} if column == "params" else None


def effective_table(job: Job) -> SafeString:
    """Return all effective values, marking those that the job sets itself."""
    values = effective_values(job)
    if not values:
        return format_html("{}", rendering.NOTHING)
    here = format_html(' <span class="cron-quiet">({})</span>', _("set here"))
    rows = (
        (capfirst(Job._meta.get_field(column).verbose_name), value, "" if getattr(job, column) is None else here)  # type: ignore[union-attr]  # noqa: SLF001 - a column; Django's documented API
        for column, value in values.items()
    )
    body = format_html_join("", '<tr><th scope="row">{}</th><td>{}{}</td></tr>', rows)
    return format_html('<table class="cron-facts"><tbody>{}</tbody></table>', body)


def _text(value: Any) -> str:
    match value:
        case None:
            return pgettext("limit", "none")
        case bool():
            return _("yes") if value else _("no")
        case timedelta():
            return rendering.duration(value)
        case _:
            return str(value)
