"""What is valid in a cron expression but may surprise its author."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from cronjobs.language import gettext as _
from cronjobs.language import gettext_noop, listed, ngettext
from cronjobs.schedules import _fields as fields
from cronjobs.schedules._calendar import instant_of, seconds_of
from cronjobs.schedules._ordinals import ordinal
from cronjobs.schedules._timetable import Timetable, timetable
from cronjobs.schedules._zones import Jump, jumps_between

_YEAR = timedelta(days=366)
# How many values a field has, and what to say where its steps start again too early. Months differ in length.
_STEPPED = {
    "second": (60, gettext_noop("'%(term)s' restarts with each minute, so the last interval is shorter")),
    "minute": (60, gettext_noop("'%(term)s' restarts at the top of each hour, so the last interval is shorter")),
    "hour": (24, gettext_noop("'%(term)s' restarts at midnight, so the last interval is shorter")),
    "day-of-month": (31, gettext_noop("'%(term)s' restarts on the 1st of each month, so the last interval is shorter")),
    "month": (12, gettext_noop("'%(term)s' restarts in January, so the last interval is shorter")),
    "day-of-week": (7, gettext_noop("'%(term)s' restarts on Sunday, so the last interval is shorter")),
}
_DAYS_IN_MONTH = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class ClockEffect(StrEnum):
    """What a clock change does to a schedule."""

    # Its wall time does not exist that day: it runs right after the gap.
    MOVED = "moved"
    # Its wall time does not exist that day: it does not run.
    SKIPPED = "skipped"
    # Its wall time comes twice that day: it runs the first time only.
    ONCE = "once"
    # Its wall time comes twice that day: it runs both times.
    TWICE = "twice"


@dataclass(frozen=True, slots=True)
class ClockNote:
    """What the clock change at `at` (UTC) does to a schedule: the `effect`, and a sentence that says it."""

    at: datetime
    effect: ClockEffect
    text: str

    def __str__(self) -> str:
        return self.text


def notes_on(table: Timetable, zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[ClockNote]:
    """Yield a note for each clock change with start < at <= end that touches a due time."""
    for jump in jumps_between(zone, seconds_of(start) // 60 + 1, seconds_of(end) // 60 + 1):
        low, high = sorted((jump.minute + jump.before, jump.minute + jump.after))
        times = list(table.walk(low, high))
        # Where each hour has its run on a clock that is followed as it shows, nothing is amiss.
        if times and (table.is_fixed or table.skips_hours):
            yield _note(jump, _effect(table, jump), zone, times)


def advice_on(expression: str, zone: ZoneInfo, now: datetime | None) -> tuple[str, ...]:
    """Return sentences on uneven steps, on the two day fields, on short months, on clock changes."""
    texts = fields.split_fields(expression)
    advice = [*_on_steps(texts), *_on_days(texts[3], texts[5]), *_on_short_months(*texts[3:])]
    if now is not None:
        advice += (note.text for note in notes_on(timetable(expression), zone, now, now + _YEAR))
    return tuple(advice)


def _on_steps(texts: list[str]) -> Iterator[str]:
    for spec, text in zip(fields.FIELDS, texts, strict=True):
        size, restart = _STEPPED[spec.name]
        for term, step in fields.steps_in(text):
            if step >= size:
                problem = _("'%(term)s' steps over the whole field, so it only means %(value)d")
                yield fields.about(spec.name, problem % {"term": term, "value": spec.low})
            elif size % step:
                yield fields.about(spec.name, _(restart) % {"term": term})


def _on_days(day_of_month: str, day_of_week: str) -> Iterator[str]:
    if not {day_of_month, day_of_week} & {"*", "*/1"}:
        if day_of_month.startswith("*") or day_of_week.startswith("*"):
            yield _("day-of-month and day-of-week: one starts with a star, so it runs when both match")
        else:
            yield _("day-of-month and day-of-week: it runs when either of them matches")


def _on_short_months(day_of_month: str, month: str, day_of_week: str) -> Iterator[str]:
    if day_of_week != "*" or "L" in day_of_month.upper():
        return
    first = min(fields.numbers_in(fields.DAY_OF_MONTH, day_of_month))
    months = fields.numbers_in(fields.MONTH, month)
    if any(_DAYS_IN_MONTH[number - 1] < first for number in months):
        problem = _("months without a %(nth)s are skipped; 'L' is the last day of each") % {"nth": ordinal(first)}
        yield fields.about(fields.DAY_OF_MONTH.name, problem)


def _effect(table: Timetable, jump: Jump) -> ClockEffect:
    catches_up = table.is_fixed and not jump.is_correction
    if jump.shift > 0:
        return ClockEffect.MOVED if catches_up else ClockEffect.SKIPPED
    return ClockEffect.ONCE if catches_up else ClockEffect.TWICE


def _note(jump: Jump, effect: ClockEffect, zone: ZoneInfo, times: list[int]) -> ClockNote:
    at, wall = instant_of(jump.minute * 60), instant_of(times[0] * 60)
    facts = {"day": f"{wall:%Y-%m-%d}", "times": _some_times(times), "then": f"{at.astimezone(zone):%H:%M %Z}"}
    return ClockNote(at, effect, _outcome(effect, len(times)) % facts)


def _outcome(effect: ClockEffect, count: int) -> str:
    texts = {
        ClockEffect.MOVED: ngettext(
            "clock change on %(day)s: %(times)s does not exist; runs at %(then)s",
            "clock change on %(day)s: %(times)s do not exist; runs at %(then)s",
            count,
        ),
        ClockEffect.SKIPPED: ngettext(
            "clock change on %(day)s: %(times)s does not exist; skipped",
            "clock change on %(day)s: %(times)s do not exist; skipped",
            count,
        ),
        ClockEffect.ONCE: ngettext(
            "clock change on %(day)s: %(times)s comes twice; runs the first time only",
            "clock change on %(day)s: %(times)s come twice; runs the first time only",
            count,
        ),
        ClockEffect.TWICE: ngettext(
            "clock change on %(day)s: %(times)s comes twice; runs both times",
            "clock change on %(day)s: %(times)s come twice; runs both times",
            count,
        ),
    }
    return texts[effect]


def _some_times(times: list[int]) -> str:
    shown = [f"{instant_of(minute * 60):%H:%M}" for minute in times]
    if len(shown) < 3:
        return listed(shown)
    count = len(shown) - 2
    text = ngettext("%(first)s, %(second)s and %(count)d more", "%(first)s, %(second)s and %(count)d more", count)
    return text % {"first": shown[0], "second": shown[1], "count": count}
