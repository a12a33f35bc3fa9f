"""The fields of a cron expression: what each may hold, and the sentence that refuses the rest.

The language is the one Debian's cron(8) reads (crontab(5)), plus "L", "LW" and "#" in the day fields.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from cronjobs.exceptions import InvalidSchedule
from cronjobs.language import gettext as _
from cronjobs.language import pgettext

LONGEST_TEXT = 200

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]

_EN_DASH = "\N{EN DASH}"


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its name and its smallest and largest number; `names` stand for numbers."""

    name: str
    low: int
    high: int
    names: Mapping[str, int] = field(default_factory=dict)

    def refuse(self, problem: str) -> NoReturn:
        """Raise `InvalidSchedule` for this field."""
        raise InvalidSchedule(about(self.name, problem), field=self.name)


def about(name: str, problem: str) -> str:
    """Return the sentence about a part of a schedule, by its name in code, in which something is odd."""
    return _("%(part)s: %(problem)s") % {"part": part_in_words(name), "problem": problem}


def part_in_words(name: str) -> str:
    """Return what a part of a schedule is called, by its name in code; it is the same in English."""
    return {
        "second": pgettext("part of a schedule", "second"),
        "minute": pgettext("part of a schedule", "minute"),
        "hour": pgettext("part of a schedule", "hour"),
        "day-of-month": pgettext("part of a schedule", "day-of-month"),
        "month": pgettext("part of a schedule", "month"),
        "day-of-week": pgettext("part of a schedule", "day-of-week"),
        "time_zone": pgettext("part of a schedule", "time_zone"),
        "interval": pgettext("part of a schedule", "interval"),
        "anchor": pgettext("part of a schedule", "anchor"),
        "instant": pgettext("part of a schedule", "instant"),
    }[name]


SECOND = Field("second", 0, 59)
MINUTE = Field("minute", 0, 59)
HOUR = Field("hour", 0, 23)
DAY_OF_MONTH = Field("day-of-month", 1, 31)
MONTH = Field("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)})
DAY_OF_WEEK = Field("day-of-week", 0, 7, {name: number for number, name in enumerate(_DAYS)})

FIELDS = (SECOND, MINUTE, HOUR, DAY_OF_MONTH, MONTH, DAY_OF_WEEK)


def split_fields(expression: str) -> list[str]:
    """Return the six fields of `expression`, seconds first ("0" if it has five).

    Raise `InvalidSchedule` if it is not text, too long, or has another number of fields.
    """
    check_text(expression)
    fields = expression.split()
    if len(fields) == 5:
        return ["0", *fields]
    if len(fields) == 6:
        return fields
    text = _(
        "A cron expression has five fields (minute, hour, day-of-month, month, day-of-week), "
        "or six with seconds first; this one has %(count)d."
    )
    raise InvalidSchedule(text % {"count": len(fields)}, field="schedule")


def check_text(text: str) -> None:
    """Raise `InvalidSchedule` unless `text` is a short string of printable ASCII."""
    if not isinstance(text, str):
        raise InvalidSchedule(_("A schedule is text, not %(value).60r.") % {"value": text}, field="schedule")
    if len(text) > LONGEST_TEXT:
        message = _("A schedule has at most %(most)d characters; this one has %(count)d.")
        raise InvalidSchedule(message % {"most": LONGEST_TEXT, "count": len(text)}, field="schedule")
    if odd := re.search(r"[^\t -~]", text):
        message = _("A schedule cannot contain the character %(character)a.")
        raise InvalidSchedule(message % {"character": odd.group()}, field="schedule")


def numbers_in(spec: Field, text: str) -> frozenset[int]:
    """Return the numbers that the field's `text` stands for; raise `InvalidSchedule` if it is not valid."""
    return frozenset(number for term in terms_in(spec, text) for number in expand(spec, term))


def terms_in(spec: Field, text: str) -> list[str]:
    """Return the parts of a comma-separated list, none of which is empty."""
    terms = text.split(",")
    if "" in terms:
        spec.refuse(_("%(text)r has an empty place in its list") % {"text": text})
    return terms


def expand(spec: Field, term: str) -> range:
    """Return the numbers one term stands for: a number, a range, a star, with or without a step."""
    body, slash, step = term.partition("/")
    if body == "*":
        first, last = spec.low, spec.high
    elif "-" in body:
        first, last = _ends_of_range(spec, body)
    elif slash:
        better = f"{body}-{spec.high}/{step}"
        spec.refuse(_("%(text)r has a step without a range; write '%(better)s'") % {"text": term, "better": better})
    else:
        first = last = number_in(spec, body)
    return range(first, last + 1, _step_in(spec, term) if slash else 1)


def number_in(spec: Field, text: str) -> int:
    """Return the number that a number or a name stands for."""
    if text.lower() in spec.names:
        return spec.names[text.lower()]
    if not text.isdigit():
        spec.refuse(_not_a_number(spec, text))
    if not spec.low <= int(text) <= spec.high:
        range_ = f"{spec.low}{_EN_DASH}{spec.high}"
        spec.refuse(_("%(text)r is not in %(range)s") % {"text": text, "range": range_})
    return int(text)


def steps_in(text: str) -> Iterator[tuple[str, int]]:
    """Yield the terms of a valid field that are a star with a step, and the step."""
    for term in text.split(","):
        if term.startswith("*/"):
            yield term, int(term[2:])


def _ends_of_range(spec: Field, body: str) -> tuple[int, int]:
    start, _dash, end = body.partition("-")
    if not (start and end):
        spec.refuse(_("the range %(text)r lacks an end") % {"text": body})
    first, last = number_in(spec, start), number_in(spec, end)
    if first > last:
        better = f"{start}-{max(spec.low, _top(spec))},{spec.low}-{end}"
        spec.refuse(_("the range %(text)r runs backwards; write '%(better)s'") % {"text": body, "better": better})
    return first, last


def _top(spec: Field) -> int:
    return 6 if spec is DAY_OF_WEEK else spec.high


def _step_in(spec: Field, term: str) -> int:
    step = term.partition("/")[2]
    if not step.isdigit():
        spec.refuse(_("the step in %(text)r is not a number") % {"text": term})
    if int(step) == 0:
        spec.refuse(_("the step in %(text)r must be 1 or more") % {"text": term})
    return int(step)


def _not_a_number(spec: Field, text: str) -> str:
    if text == "?":
        return _("'?' is not cron's; write '*'")
    if text[:3].lower() in spec.names:
        return _("%(text)r is not a name; write %(better)r") % {"text": text, "better": text[:3]}
    if not spec.names:
        return _("%(text)r is not a number") % {"text": text}
    first, *_others, last = spec.names
    names = f"{first}{_EN_DASH}{last}"
    return _("%(text)r is not a number or a name %(names)s") % {"text": text, "names": names}
