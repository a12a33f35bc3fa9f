"""The last 24 hours in words and lines: outcomes, errors, durations, the worst jobs, clean-ups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from cronjobs.admin import rendering
from cronjobs.admin.badges import Tone
from cronjobs.admin.dashboard.charts import COLUMN, HEIGHT, columns, line
from cronjobs.admin.dashboard.cleanup import Cleanup, cleanups
from cronjobs.admin.dashboard.hours import Hour, error_rate
from cronjobs.admin.dashboard.jobs import Jobs
from cronjobs.admin.dashboard.ranking import Ranked, most_failing, ranked, slowest
from cronjobs.admin.pictures import sparkline
from cronjobs.states import ExecutionStatus


def hours_panel(hours: Sequence[Hour]) -> dict[str, Any]:
    """Return the columns and the lines, the numbers behind them, and what they come to."""
    ended, most = sum(each.ended for each in hours), max((each.ended for each in hours), default=0)
    p50 = [each.duration.p50 if each.duration else None for each in hours]
    p95 = [each.duration.p95 if each.duration else None for each in hours]
    longest = max((each for each in p95 if each is not None), default=0)
    rates = [each.error_rate for each in hours]
    highest = max((each for each in rates if each is not None), default=0.0)
    return {
        "width": len(hours) * COLUMN,
        "height": HEIGHT,
        "columns": [(each, _column_text(each.hour)) for each in columns(hours)],
        "axis": [SafeString(rendering.clock_time(each.since)) for each in hours[::6]],
        "rows": [_row(each) for each in reversed(hours)],
        "ended": ended,
        "most": most,
        "counts_label": _("Executions that ended in each hour: %(ended)d in all, at most %(most)d in an hour.")
        % {"ended": ended, "most": most},
        "error_rate": percent(error_rate(hours)),
        "highest_rate": percent(highest),
        "rate_line": line(rates, most=highest or 1.0),
        "rate_label": _("Error rate in each hour: %(rate)s on the whole, at most %(highest)s.")
        % {"rate": percent(error_rate(hours)), "highest": percent(highest)},
        "p50_line": line(p50, most=longest or 1),
        "p95_line": line(p95, most=longest or 1),
        "longest": milliseconds(longest),
        "durations_label": _("Durations in each hour: 95 %% took at most %(longest)s in the slowest.")
        % {"longest": milliseconds(longest)},
    }


def percent(share: float | None) -> str:
    """Return a share as people read it; what is not nothing never looks like it."""
    if share is None:
        return rendering.NOTHING
    if 0 < share < 0.001:
        return _("< 0.1 %")
    return _("%(percent).1f %%") % {"percent": share * 100}


def milliseconds(value: float | None) -> str:
    """Return a number of milliseconds as people read it."""
    return rendering.duration(rendering.milliseconds(None if value is None else round(value)))


def _row(hour: Hour) -> dict[str, Any]:
    duration = hour.duration
    succeeded = hour.outcomes.get(ExecutionStatus.SUCCEEDED, 0)
    return {
        "since": rendering.clock_time(hour.since),
        "ended": hour.ended,
        "succeeded": succeeded,
        "unsuccessful": hour.unsuccessful,
        "others": hour.ended - succeeded - hour.unsuccessful,
        "error_rate": percent(hour.error_rate),
        "p50": milliseconds(duration.p50 if duration else None),
        "p95": milliseconds(duration.p95 if duration else None),
    }


def _column_text(hour: Hour) -> str:
    labels = {str(each): str(each.label) for each in ExecutionStatus}
    counts = sorted(hour.outcomes.items(), key=lambda item: (-item[1], item[0]))
    outcomes = ", ".join(
        _("%(count)d × %(outcome)s") % {"count": count, "outcome": labels.get(status, status)}
        for status, count in counts
    )
    return _("From %(time)s: %(outcomes)s") % {
        "time": f"{timezone.localtime(hour.since):%H:%M}",
        "outcomes": outcomes or _("nothing"),
    }


def ranking_panel(hours: Sequence[Hour], jobs: Jobs) -> dict[str, Any]:
    """Return the slowest jobs and those that fail most."""
    every = ranked(hours)
    return {
        "slowest": [_ranked(each, jobs) for each in slowest(every)],
        "failing": [_ranked(each, jobs) for each in most_failing(every)],
    }


def _ranked(job: Ranked, jobs: Jobs) -> dict[str, Any]:
    return {
        "name": job.name,
        "pk": jobs.keys.get(job.name),
        "ended": job.ended,
        "unsuccessful": job.unsuccessful,
        "judged": job.judged,
        "error_rate": percent(job.error_rate),
        "mean": milliseconds(job.duration_mean),
        "max": milliseconds(job.duration_max),
    }


def cleanup_panel(hours: Sequence[Hour], jobs: Jobs) -> list[dict[str, Any]]:
    """Return what clean-ups modified."""
    return [_cleanup(each, jobs) for each in cleanups(hours)]


def _cleanup(job: Cleanup, jobs: Jobs) -> dict[str, Any]:
    label = ngettext(
        "Documents modified by the last run: %(numbers)s",
        "Documents modified by each of the last %(count)d runs: %(numbers)s",
        len(job.latest),
    ) % {"count": len(job.latest), "numbers": ", ".join(str(each.documents) for each in job.latest)}
    return {
        "name": job.name,
        "pk": jobs.keys.get(job.name),
        "runs": job.runs,
        "documents": job.documents,
        "mean": f"{job.mean:.1f}",
        "last": job.latest[-1].documents,
        "picture": sparkline([(each.documents, Tone.GOOD) for each in job.latest], label=label),
    }
