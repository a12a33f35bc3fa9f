"""The timeline in words: what each bar is, and what a lane comes to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from cronjobs.admin import rendering
from cronjobs.admin.badges import Tone, badge, status_badge
from cronjobs.admin.dashboard.jobs import Jobs
from cronjobs.admin.dashboard.timeline import AHEAD, NOW_X, PAST, WIDTH, Bar, Lane, ShownExecution, Timeline
from cronjobs.states import ExecutionStatus

_QUARTERS = (PAST, PAST / 2, timedelta(0))


@dataclass(frozen=True, slots=True)
class Mark:
    """A bar of a lane. `pk`: the execution that it leads to, if there is something to see."""

    x: int
    width: int
    tone: Tone
    title: str
    pk: int | None


@dataclass(frozen=True, slots=True)
class ShownLane:
    """A lane, with what it shows in words."""

    name: str
    pk: int | None
    marks: list[Mark]
    ticks: list[int]
    label: str
    latest: ShownExecution | None
    badge: str
    next_start: str
    # Why nothing comes, where somebody has seen to that.
    rests: str


def timeline_panel(timeline: Timeline, jobs: Jobs) -> dict[str, Any]:
    """Return the lanes, the times above them and the sentences below."""
    now = timeline.now
    return {
        "lanes": [_lane(each, timeline, jobs) for each in timeline.lanes],
        "width": WIDTH,
        "now_x": NOW_X,
        "half_x": NOW_X // 2,
        "times": [SafeString(rendering.clock_time(now - each)) for each in _QUARTERS],
        "end": SafeString(rendering.clock_time(now + AHEAD)),
        "notes": _notes(timeline),
    }


def _notes(timeline: Timeline) -> list[str]:
    notes = []
    if timeline.more_lanes:
        text = ngettext(
            "%(count)d more job ran within the hour. Shown are those that run or failed, and those that ran last.",
            "%(count)d more jobs ran within the hour. Shown are those that run or failed, and those that ran last.",
            timeline.more_lanes,
        )
        notes.append(text % {"count": timeline.more_lanes})
    if timeline.since is not None:
        text = _("Too much has ended to show all of it: what ended before {time} is left out.")
        notes.append(rendering.sentence(text, time=rendering.clock_time(timeline.since)))
    if timeline.is_running_cut:
        notes.append(_("More executions run than are shown."))
    return notes


def _lane(lane: Lane, timeline: Timeline, jobs: Jobs) -> ShownLane:
    latest = lane.latest if lane.runs else None
    return ShownLane(
        name=lane.name,
        pk=lane.pk,
        marks=[_mark(each, timeline) for each in lane.bars],
        ticks=lane.ticks,
        label=_label(lane),
        latest=latest,
        badge=status_badge(latest.status) if latest else "",
        next_start=rendering.clock_time(lane.next_start) if lane.next_start else "",
        rests=_rests(lane.name, jobs),
    )


def _rests(name: str, jobs: Jobs) -> str:
    if name in jobs.disabled:
        return badge(_("Disabled"), Tone.QUIET)
    return badge(_("Paused"), Tone.ODD) if name in jobs.paused else ""


def _label(lane: Lane) -> str:
    count, bad = len(lane.runs), sum(each.is_bad for each in lane.runs)
    parts = [ngettext("%d execution in the past hour", "%d executions in the past hour", count) % count]
    if bad:
        parts.append(ngettext("%d of them ended badly", "%d of them ended badly", bad) % bad)
    if running := sum(each.is_running for each in lane.runs):
        parts.append(ngettext("%d runs", "%d run", running) % running)
    if lane.next_start is not None:
        parts.append(_("next start at %(time)s") % {"time": f"{timezone.localtime(lane.next_start):%H:%M:%S}"})
    return f"{lane.name}: {', '.join(parts)}"


def _mark(bar: Bar, timeline: Timeline) -> Mark:
    if len(bar.runs) > 1:
        worst = next((each for each in bar.runs if each.is_bad), bar.runs[0])
        return Mark(bar.x, bar.width, bar.tone, _several(bar), worst.pk if worst.is_bad else None)
    (run,) = bar.runs
    is_plain = run.status == ExecutionStatus.SUCCEEDED
    return Mark(bar.x, bar.width, bar.tone, _one(run, timeline), None if is_plain else run.pk)


def _one(run: ShownExecution, timeline: Timeline) -> str:
    status = _status(run.status)
    start = run.started_at or run.finished_at or timeline.now
    at = f"{timezone.localtime(start):%H:%M:%S}"
    if run.started_at is None:
        return _("#%(id)d: %(status)s at %(time)s") % {"id": run.pk, "status": status, "time": at}
    took = rendering.duration(max((run.finished_at or timeline.now) - start, timedelta(0)))
    if run.is_running:
        # No duration: it would be another one each time the page is looked at.
        return _("#%(id)d: %(status)s since %(time)s") % {"id": run.pk, "status": status, "time": at}
    text = _("#%(id)d: %(status)s, begun at %(time)s, %(duration)s")
    return text % {"id": run.pk, "status": status, "time": at, "duration": took}


def _several(bar: Bar) -> str:
    counts = Counter(_status(each.status) for each in bar.runs)
    return ", ".join(
        _("%(count)d × %(outcome)s") % {"count": count, "outcome": status} for status, count in counts.most_common()
    )


def _status(status: str) -> str:
    known = {str(each): str(each.label) for each in ExecutionStatus}
    return known.get(status, status)
