"""What is wrong with a job's columns, field by field, in sentences a person can act on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext_lazy as _

from cronjobs.addresses import parse_address, split_address
from cronjobs.alerts import MOST_FAILURES, parse_job_kinds
from cronjobs.conf import configured_notifiers, get_settings
from cronjobs.dependencies import objection_to_change, parse_dependencies
from cronjobs.exceptions import CronJobsError
from cronjobs.limits import parse_rate_limit
from cronjobs.models.choices import ExecutorName
from cronjobs.models.graph import effective_dependencies, load_graph
from cronjobs.registry import is_valid_name, is_valid_queue, registry
from cronjobs.schedules import parse_schedule, parse_time_zone

if TYPE_CHECKING:
    from cronjobs.models.job import Job

_ALERT_DURATIONS = ("late_after", "expected_duration", "no_success_after")
_DURATIONS = ("misfire_grace", "jitter", "initial_delay", "max_delay", "timeout", "cpu_limit", *_ALERT_DURATIONS)
_MORE_THAN_NOTHING = ("timeout", "memory_limit", "cpu_limit", *_ALERT_DURATIONS)
_LONGEST = timedelta(days=3653)
_AT_LEAST_ONE = ("max_instances", "max_attempts", "backoff_multiplier", "alert_after")


def mistakes(job: Job) -> dict[str, object]:
    """Return a message for each column that could not be meant."""
    return {column: message for column, message in _all(job) if message}


def _all(job: Job) -> Iterator[tuple[str, object]]:
    if not is_valid_name(job.name):
        yield "name", _("Use up to 100 lower-case letters, digits, hyphens and underscores.")
    if job.definition not in registry:
        yield "definition", _("No job definition is registered under this name.")
    yield "schedule", _complaint(parse_schedule, job.schedule)
    yield "time_zone", _complaint(parse_time_zone, job.time_zone)
    yield "params", _params(job)
    yield "depends_on", _complaint(parse_dependencies, job.depends_on) or _impossible(job)
    yield from _limits(job)
    yield from _numbers(job)
    yield from _alerts(job)


def _limits(job: Job) -> Iterator[tuple[str, object]]:
    if job.queue and not is_valid_queue(job.queue):
        yield "queue", _("Use up to 50 characters, without commas and spaces around them, and not “*” alone.")
    yield "rate_limit", _complaint(parse_rate_limit, job.rate_limit)
    yield "executor", _executor(job)
    for column in _MORE_THAN_NOTHING:
        if (value := getattr(job, column)) is not None and not value:
            yield column, _("Must be more than nothing.")


def _executor(job: Job) -> object:
    definition = registry.get(job.definition)
    name = job.executor or (definition and definition.executor)
    is_limited = any(each and (each.memory_limit or each.cpu_limit) for each in (job, definition))
    if name == ExecutorName.CELERY and not get_settings().celery_app:
        return _("There are no Celery workers here: CRONJOBS['CELERY_APP'] names no app.")
    is_mistake = name == ExecutorName.THREAD and is_limited
    return _("Only a process can be limited in memory and CPU time.") if is_mistake else ""


def _numbers(job: Job) -> Iterator[tuple[str, object]]:
    if job.starts_at and job.ends_at and job.ends_at < job.starts_at:
        yield "ends_at", _("Must not be before the beginning.")
    for column in _DURATIONS:
        if (getattr(job, column) or timedelta(0)) < timedelta(0):
            yield column, _("Must not be negative.")
        elif (getattr(job, column) or timedelta(0)) > _LONGEST:
            yield column, _("Must not be longer than ten years.")
    for column in _AT_LEAST_ONE:
        # Written so that NaN is refused as well.
        if (value := getattr(job, column)) is not None and not value >= 1:
            yield column, _("Must be at least 1.")


def _alerts(job: Job) -> Iterator[tuple[str, object]]:
    yield "alert_on", _complaint(parse_job_kinds, job.alert_on)
    yield "alert_to", _complaint(configured_notifiers, job.alert_to)
    if (job.alert_after or 0) > MOST_FAILURES:
        yield "alert_after", _("Must not be more than %(most)d.") % {"most": MOST_FAILURES}
    yield "ping_url", _complaint(partial(split_address, hosts=get_settings().ping_hosts), job.ping_url)
    yield "runbook_url", _complaint(parse_address, job.runbook_url)


def _params(job: Job) -> object:
    if not isinstance(job.params, dict):
        return _("Parameters must be a JSON object.")
    definition = registry.get(job.definition)
    return _complaint(definition.clean, job.params) if definition and job.params else ""


def _impossible(job: Job) -> str:
    """Return why the job, or one that waits for it, could never run with what the row says it depends on."""
    graph = load_graph(type(job)._default_manager.all())  # noqa: SLF001 - Django's documented API
    wanted = effective_dependencies(job)
    if job.depends_on is None and wanted == graph.get(job.name, {}):
        # Nothing of the row's own doing; the system check tells about definitions.
        return ""
    return objection_to_change(job.name, wanted, graph)


def _complaint(parse: Callable[[Any], Any], value: Any) -> str:
    """Return what `parse` has to say about `value`; an empty one inherits and is always right."""
    if not value:
        return ""
    try:
        parse(value)
    except CronJobsError as error:
        return str(error)
    return ""
