"""The fields of a cron expression: what each may hold, and the sentence that refuses the rest.

The language is the one Debian's cron(8) reads (crontab(5)), plus "L", "LW" and "#" in the day fields.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from cronjobs.exceptions import InvalidSchedule

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
        raise InvalidSchedule(f"{self.name}: {problem}", field=self.name)


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
    raise InvalidSchedule(
        "A cron expression has five fields (minute, hour, day-of-month, month, day-of-week), "
        f"or six with seconds first; this one has {len(fields)}.",
        field="schedule",
    )


def check_text(text: str) -> None:
    """Raise `InvalidSchedule` unless `text` is a short string of printable ASCII."""
    if not isinstance(text, str):
        raise InvalidSchedule(f"A schedule is text, not {text!r:.60}.", field="schedule")
    if len(text) > LONGEST_TEXT:
        raise InvalidSchedule(
            f"A schedule has at most {LONGEST_TEXT} characters; this one has {len(text)}.", field="schedule"
        )
    if odd := re.search(r"[^\t -~]", text):
        raise InvalidSchedule(f"A schedule cannot contain the character {odd.group()!a}.", field="schedule")


def numbers_in(spec: Field, text: str) -> frozenset[int]:
    """Return the numbers that the field's `text` stands for; raise `InvalidSchedule` if it is not valid."""
    return frozenset(number for term in terms_in(spec, text) for number in expand(spec, term))


def terms_in(spec: Field, text: str) -> list[str]:
    """Return the parts of a comma-separated list, none of which is empty."""
    terms = text.split(",")
    if "" in terms:
        spec.refuse(f"{text!r} has an empty place in its list")
    return terms


def expand(spec: Field, term: str) -> range:
    """Return the numbers one term stands for: a number, a range, a star, with or without a step."""
    body, slash, step = term.partition("/")
    if body == "*":
        first, last = spec.low, spec.high
    elif "-" in body:
        first, last = _ends_of_range(spec, body)
    elif slash:
        spec.refuse(f"{term!r} has a step without a range; write '{body}-{spec.high}/{step}'")
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
        spec.refuse(f"{text!r} is not in {spec.low}{_EN_DASH}{spec.high}")
    return int(text)


def steps_in(text: str) -> Iterator[tuple[str, int]]:
    """Yield the terms of a valid field that are a star with a step, and the step."""
    for term in text.split(","):
        if term.startswith("*/"):
            yield term, int(term[2:])


def _ends_of_range(spec: Field, body: str) -> tuple[int, int]:
    start, _, end = body.partition("-")
    if not (start and end):
        spec.refuse(f"the range {body!r} lacks an end")
    first, last = number_in(spec, start), number_in(spec, end)
    if first > last:
        spec.refuse(f"the range {body!r} runs backwards; write '{start}-{max(spec.low, _top(spec))},{spec.low}-{end}'")
    return first, last


def _top(spec: Field) -> int:
    return 6 if spec is DAY_OF_WEEK else spec.high


def _step_in(spec: Field, term: str) -> int:
    step = term.partition("/")[2]
    if not step.isdigit():
        spec.refuse(f"the step in {term!r} is not a number")
    if int(step) == 0:
        spec.refuse(f"the step in {term!r} must be 1 or more")
    return int(step)


def _not_a_number(spec: Field, text: str) -> str:
    if text == "?":
        return "'?' is not cron's; write '*'"
    if text[:3].lower() in spec.names:
        return f"{text!r} is not a name; write {text[:3]!r}"
    names = list(spec.names)
    expected = f"a number or a name {names[0]}{_EN_DASH}{names[-1]}" if names else "a number"
    return f"{text!r} is not {expected}"
