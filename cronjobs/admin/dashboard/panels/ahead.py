"""What comes next, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from cronjobs.admin import rendering
from cronjobs.admin.badges import Tone, badge
from cronjobs.admin.dashboard.jobs import ComingJob, Jobs
from cronjobs.admin.dashboard.queues import MOST_QUEUES, Waiting
from cronjobs.admin.dashboard.upcoming import Minute, Pile, Upcoming


def upcoming_panel(found: Upcoming, jobs: Jobs, waiting: Waiting) -> dict[str, Any]:
    """Return the coming minutes, the warnings, and what happens too often to be listed."""
    piles = {each.at: each for each in found.piles}
    return {
        "note": _paused_note(waiting, jobs),
        "minutes": [_minute(each, piles.get(each.at), jobs) for each in found.minutes],
        "more_minutes": found.more_minutes,
        "piles": [{"at": rendering.clock_time(each.at), "text": _pile_text(each)} for each in found.piles],
        "threshold": found.threshold,
        "frequent": [
            {"schedule": each.schedule, "jobs": _named(each.jobs), "more": each.more, "is_pile": each.is_pile}
            for each in found.frequent
        ],
        "more_frequent": found.more_frequent,
    }


def _minute(minute: Minute, pile: Pile | None, jobs: Jobs) -> dict[str, Any]:
    return {
        # A start within the present minute is not overdue.
        "at": rendering.ahead(max(minute.at, jobs.now), now=jobs.now),
        "jobs": _named(minute.jobs),
        "more": minute.more,
        "warning": badge(_("Piles up"), Tone.ODD, title=_pile_text(pile)) if pile else "",
    }


def _named(jobs: Sequence[ComingJob]) -> list[tuple[int, str]]:
    return [(each.pk, each.facts.name) for each in jobs]


def _pile_text(pile: Pile) -> str:
    text = ngettext("%d job starts in the same minute.", "%d jobs start in the same minute.", pile.jobs)
    return text % pile.jobs


def _paused_note(waiting: Waiting, jobs: Jobs) -> str:
    """Return what pauses mean for what comes next; empty if there are none."""
    if waiting.is_everything_paused:
        return _("Everything is paused: nothing is scheduled until it is resumed.")
    paused = sorted(waiting.paused & {each.resolved.queue for each in jobs.coming})
    if not paused:
        return ""
    text = ngettext(
        "What is due in a paused queue waits until the queue is resumed: %(names)s.",
        "What is due in paused queues waits until they are resumed: %(names)s.",
        len(paused),
    )
    return text % {"names": ", ".join(paused[:MOST_QUEUES])}
