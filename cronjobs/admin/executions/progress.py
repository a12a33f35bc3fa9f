"""How far a job says that it has come, as a bar and in words; all of it escaped."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.utils import formats
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from cronjobs.admin import rendering
from cronjobs.models import JobExecution
from cronjobs.progress import Progress, read_progress
from cronjobs.states import ExecutionStatus


def progress_of(execution: JobExecution, *, now: datetime) -> Progress | None:
    """Return the progress of the attempt that runs, or ran last; None if it has not said any."""
    is_running = execution.status == ExecutionStatus.RUNNING
    return read_progress(execution.progress, started_at=execution.started_at, now=now if is_running else None)


def brief_progress(execution: JobExecution, *, now: datetime) -> SafeString:
    """Return what a list shows of an execution that runs; empty if there is nothing."""
    progress = progress_of(execution, now=now) if execution.status == ExecutionStatus.RUNNING else None
    if progress is None or progress.done is None:
        return SafeString("")
    said = _amount(progress) if progress.percent is None else f"{progress.percent} %"
    title = ". ".join(filter(None, [_amount(progress), progress.message]))
    return format_html(
        '<span class="cron-progress" title="{}">{}{}</span>', title, _bar(progress), _with_rest(said, progress)
    )


def progress_figures(progress: Progress | None) -> Iterator[tuple[str, str]]:
    """Yield label and value of what a page shows."""
    if progress is None or progress.done is None:
        return
    said = _amount(progress)
    if progress.percent is not None:
        said = _("%(amount)s (%(percent)d %%)") % {"amount": said, "percent": progress.percent}
    yield _("Progress"), format_html('<span class="cron-progress">{}{}</span>', _bar(progress), said)
    if progress.eta is not None:
        yield _("Left"), _("about %(duration)s") % {"duration": rendering.duration(progress.eta)}


def _with_rest(said: str, progress: Progress) -> str:
    if progress.eta is None:
        return said
    return _("%(progress)s, %(duration)s left") % {"progress": said, "duration": rendering.duration(progress.eta)}


def _bar(progress: Progress) -> SafeString:
    # What it says stands beside it; without a number there is nothing to draw.
    if progress.percent is None:
        return SafeString("")
    bar = '<progress max="100" value="{}" aria-label="{}">{} %</progress> '
    return format_html(bar, progress.percent, _("Progress"), progress.percent)


def _amount(progress: Progress) -> str:
    if progress.total is None:
        return _number(progress.done)
    return _("%(done)s of %(total)s") % {"done": _number(progress.done), "total": _number(progress.total)}


def _number(value: float | None) -> str:
    if value is None:
        return rendering.NOTHING
    if abs(value) >= 1e15:
        return f"{value:.3g}"
    return str(formats.number_format(int(value) if value == int(value) else round(value, 2), force_grouping=True))
