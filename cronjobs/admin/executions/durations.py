"""How long executions take, beside how long their jobs usually take."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Collection
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from typing import Final

from django.db.models import OuterRef, Q, Subquery
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from cronjobs.admin import rendering
from cronjobs.admin.badges import Tone
from cronjobs.models import Job, JobExecution
from cronjobs.states import ExecutionStatus

# Among so many of a job's newest executions, these that succeeded say what is usual; fewer say nothing.
_NEWEST: Final = 30
_FEWEST: Final = 3
# The usual duration is half the bar's width, so that one can see what takes longer.
_WIDTH, _HEIGHT = 64, 4
# From here on it is said in words as well, unless the difference is too small for anybody to care.
_UNUSUAL: Final = 2
_NOTICED: Final = timedelta(seconds=1)


def usual_durations(job_ids: Collection[int]) -> dict[int, timedelta]:
    """Return the median duration of what succeeded of late, by job; two statements, whatever the history."""
    newest = JobExecution.objects.filter(job=OuterRef("pk")).order_by("-pk").values("pk")
    jobs = Job.objects.filter(pk__in=job_ids).annotate(oldest=Subquery(newest[_NEWEST - 1 : _NEWEST]))
    parts = [Q(job=pk, pk__gte=oldest or 0) for pk, oldest in jobs.order_by("pk").values_list("pk", "oldest")]
    if not parts:
        return {}
    ended = JobExecution.objects.filter(reduce(or_, parts), status=ExecutionStatus.SUCCEEDED)
    found: defaultdict[int, list[int]] = defaultdict(list)
    for pk, milliseconds in ended.order_by().values_list("job_id", "duration_ms"):
        if milliseconds is not None:
            found[pk].append(milliseconds)
    medians = {pk: statistics.median(each) for pk, each in found.items() if len(each) >= _FEWEST}
    return {pk: span for pk, each in medians.items() if (span := rendering.milliseconds(each)) is not None}


def duration_with_bar(execution: JobExecution, usual: timedelta | None, *, now: datetime) -> str:
    """Return how long the last attempt took, or has been taking, and a bar that compares it with what is usual."""
    said, taken = rendering.running_time(execution, now=now), _taken(execution, now)
    if taken is None or usual is None:
        return said
    share = taken / max(usual, timedelta(milliseconds=1))
    is_unusual = share >= _UNUSUAL and taken - usual >= _NOTICED
    times = rendering.quiet(_("%(times).0f × the usual") % {"times": share}) if is_unusual else ""
    # The bar is a line of its own.
    return format_html("{}{}{}", said, _bar(share, usual, is_unusual=is_unusual), times)


def _taken(execution: JobExecution, now: datetime) -> timedelta | None:
    if execution.status == ExecutionStatus.RUNNING and execution.started_at is not None:
        return now - execution.started_at
    return rendering.milliseconds(execution.duration_ms)


def _bar(share: float, usual: timedelta, *, is_unusual: bool) -> SafeString:
    label = _("Usually %(duration)s") % {"duration": rendering.duration(usual)}
    width = max(1, min(_WIDTH, round(share * _WIDTH / 2)))
    tone = Tone.ODD if is_unusual else Tone.BUSY
    return format_html(
        '<svg class="cron-chart cron-span" role="img" aria-label="{label}" width="{all}" height="{high}" viewBox="0 0 {all} {high}">'
        '<title>{label}</title><rect class="cron-track" width="{all}" height="{high}"/>'
        '<rect class="cron-{tone}" width="{width}" height="{high}"/>'
        '<rect class="cron-usual" x="{half}" width="1" height="{high}"/></svg>',
        label=label,
        all=_WIDTH,
        high=_HEIGHT,
        tone=tone,
        width=width,
        half=_WIDTH // 2,
    )
