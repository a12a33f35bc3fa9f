"""What a schedule is going to do: its coming due times, and where a clock change or a calendar has a hand in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice

from cronjobs.language import gettext as _
from cronjobs.schedules._advice import ClockEffect, ClockNote
from cronjobs.schedules._base import Schedule
from cronjobs.schedules._calendar import EARLIEST, LATEST, MINUTE, instant_of, seconds_of
from cronjobs.schedules._cron import Cron
from cronjobs.schedules._excluding import Excluding
from cronjobs.schedules._zones import clock_changes

# No preview has more due times than these, whatever it is asked for.
PREVIEW_LIMIT = 1_000

# No clock has ever jumped further; a change so far away may still touch a due time that is shown.
_LARGEST_JUMP = timedelta(days=1)


class Mark(StrEnum):
    """What is special about a line of a preview."""

    # A clock change took its wall time away: it runs right after the gap.
    MOVED = ClockEffect.MOVED.value
    # Its wall time comes twice, and this is the time it runs.
    ONCE = ClockEffect.ONCE.value
    # Its wall time comes twice, and it runs both times.
    TWICE = ClockEffect.TWICE.value
    # It does not run: a clock change took its wall time away, or somebody had it skipped.
    SKIPPED = ClockEffect.SKIPPED.value
    # It does not run, and nothing else does on that day: a calendar excludes it.
    EXCLUDED = "excluded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fire:
    """A due time (UTC), or what would be one; `note` is the sentence behind its `mark`.

    With jitter, `start` is when it starts.
    """

    at: datetime
    start: datetime | None = None
    mark: Mark | None = None
    note: str = ""

    @property
    def runs(self) -> bool:
        """Whether something runs then."""
        return self.mark not in (Mark.SKIPPED, Mark.EXCLUDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """The coming due times, oldest first, those that do not run among them, and what there is to say about them.

    `is_cut` says that more follow within the span that was asked for.
    """

    fires: tuple[Fire, ...]
    notes: tuple[str, ...]
    is_cut: bool

    @property
    def times(self) -> tuple[datetime, ...]:
        """The due times (UTC) that run."""
        return tuple(each.at for each in self.fires if each.runs)


def preview(
    schedule: Schedule,
    *,
    after: datetime,
    until: datetime | None = None,
    count: int = PREVIEW_LIMIT,
    skipped: Mapping[datetime, str] | None = None,
) -> Preview:
    """Return up to `count` due times that run, with after < t <= until, and what does not run between them.

    `skipped` names due times that somebody had skipped, with the reasons. An excluded day is one
    line, at its first due time. The work is bounded: of either kind there are at most
    `PREVIEW_LIMIT`, and nothing is due after the year 2200.
    """
    if count < 1:
        raise ValueError(f"A preview shows at least one due time, not {count}.")
    after, end = _clamped(after), _clamped(until or instant_of(LATEST))
    fires, is_cut = _due(schedule, after, end, min(count, PREVIEW_LIMIT), skipped or {})
    if is_cut:
        end = fires[-1].at
    excluded = list(_excluded(schedule, after, end))
    touched = list(_touched(schedule.nominal, after, end))
    lines = sorted(
        [*_marked(fires, touched), *excluded, *_without_a_time(touched, schedule, after, end)],
        key=lambda fire: (fire.at, fire.runs),
    )
    notes = dict.fromkeys(each.note for each in lines if each.note)
    return Preview(fires=tuple(lines), notes=tuple(notes), is_cut=is_cut)


def _clamped(t: datetime) -> datetime:
    return instant_of(min(max(seconds_of(t), EARLIEST), LATEST))


def _due(
    schedule: Schedule, after: datetime, end: datetime, count: int, skipped: Mapping[datetime, str]
) -> tuple[list[Fire], bool]:
    fires: list[Fire] = []
    for at in schedule.due_between(after, end):
        if not count:
            return fires, True
        if at in skipped:
            fires.append(Fire(at=at, mark=Mark.SKIPPED, note=_said_at(at, skipped[at])))
        else:
            fires.append(Fire(at=at))
            count -= 1
    return fires, False


@dataclass(frozen=True, slots=True)
class _Touched:
    """A clock change, and the instants first <= t < end at which due times are touched by it."""

    note: ClockNote
    first: datetime
    end: datetime

    def touches(self, fire: Fire) -> bool:
        return self.first <= fire.at < self.end


def _touched(schedule: Schedule, after: datetime, end: datetime) -> Iterator[_Touched]:
    if not isinstance(schedule, Cron):
        return
    span = after - _LARGEST_JUMP, end + _LARGEST_JUMP
    shifts = {each.at: abs(each.shift) for each in clock_changes(schedule.zone, *span)}
    for note in schedule.notes_between(*span):
        at, shift = note.at, shifts[note.at]
        first, last = {
            ClockEffect.MOVED: (at, at + MINUTE),
            ClockEffect.SKIPPED: (at, at),
            ClockEffect.ONCE: (at - shift, at),
            ClockEffect.TWICE: (at - shift, at + shift),
        }[note.effect]
        yield _Touched(note, first, last)


def _marked(fires: Sequence[Fire], touched: Sequence[_Touched]) -> Iterator[Fire]:
    for fire in fires:
        by = next((each for each in touched if each.touches(fire)), None)
        if by is None or not fire.runs:
            yield fire
        else:
            yield replace(fire, mark=Mark(by.note.effect), note=by.note.text)


def _without_a_time(touched: Sequence[_Touched], schedule: Schedule, after: datetime, end: datetime) -> Iterator[Fire]:
    """Yield what a clock change takes away altogether, at the instant of the change."""
    for each in touched:
        is_shown = each.note.effect == ClockEffect.SKIPPED and after < each.note.at <= end
        if is_shown and not _is_excluded(schedule, each.note.at):
            yield Fire(at=each.note.at, mark=Mark.SKIPPED, note=each.note.text)


def _excluded(schedule: Schedule, after: datetime, end: datetime) -> Iterator[Fire]:
    if isinstance(schedule, Excluding):
        for day, at in islice(schedule.excluded_between(after, end), PREVIEW_LIMIT):
            note = _("%(day)s is excluded by the calendar") % {"day": day.isoformat()}
            yield Fire(at=at, mark=Mark.EXCLUDED, note=note)


def _is_excluded(schedule: Schedule, at: datetime) -> bool:
    days = schedule.days if isinstance(schedule, Excluding) else ()
    return any(each.first <= seconds_of(at) <= each.last for each in days)


def _said_at(at: datetime, reason: str) -> str:
    return _("%(time)s: %(reason)s") % {"time": f"{at:%Y-%m-%d %H:%M:%S} UTC", "reason": reason}
