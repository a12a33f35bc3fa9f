"""A crontab of Celery's as one of cron's: the same numbers, and the same days or a refusal."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from cronjobs.importing.days import are_joined_by_or, both_wanted, nth_weekday

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_TERM = re.compile(r"(?:(?P<star>\*)|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>\d+))?")
# The same to cron, and to whoever wrote it.
_PLAIN = re.compile(r"\d+(?:-\d+(?:/\d+)?)?(?:,\d+(?:-\d+(?:/\d+)?)?)*")


class NotCron(ValueError):
    """Celery's fields say what cron cannot, or nothing; the sentence says why."""


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    names: dict[str, int] = field(default_factory=dict)

    @property
    def all(self) -> frozenset[int]:
        """All its numbers."""
        return frozenset(range(self.low, self.high + 1))


_MINUTE, _HOUR = _Field("minute", 0, 59), _Field("hour", 0, 23)
_DAY_OF_MONTH = _Field("day of month", 1, 31)
_MONTH = _Field("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, start=1)})
_DAY_OF_WEEK = _Field("day of week", 0, 6, {name: number for number, name in enumerate(_DAYS)})


def cron_of(*, minute: str, hour: str, day_of_month: str, month_of_year: str, day_of_week: str) -> str:
    """Return the cron expression that is due when Celery's fields are; raise `NotCron` if there is none.

    Celery counts 0 to 6 from Sunday, lets a range run past the end (``fri-mon``), and wants both day fields to match.
    """
    fields = (_MINUTE, _HOUR, _DAY_OF_MONTH, _MONTH, _DAY_OF_WEEK)
    texts = ["".join(each.split()) for each in (minute, hour, day_of_month, month_of_year, day_of_week)]
    numbers = [_numbers(spec, text) for spec, text in zip(fields, texts, strict=True)]
    written = [_text(*each) for each in zip(fields, texts, numbers, strict=True)]
    if are_joined_by_or(written[2], written[4]):
        advice = nth_weekday(numbers[2], numbers[4])
        better = " ".join([*written[:2], "*", written[3], advice])
        hint = f" '{better}' says the same as Celery." if advice else ""
        raise NotCron(both_wanted("Celery", texts[2], texts[4]) + hint)
    return " ".join(written)


def _numbers(spec: _Field, text: str) -> frozenset[int]:
    return frozenset(number for term in text.split(",") for number in _expanded(spec, term))


def _expanded(spec: _Field, term: str) -> Iterable[int]:
    match = _TERM.fullmatch(term)
    # A single number with a step is nothing to Celery either.
    if match is None or (match["step"] and match["first"] and not match["last"]):
        raise NotCron(f"{term!r} is no {spec.name} to Celery.")
    if match["star"]:
        numbers = sorted(spec.all)
    else:
        first = _number(spec, match["first"])
        last = first if match["last"] is None else _number(spec, match["last"])
        numbers = [*range(first, last + 1)] or [*range(first, spec.high + 1), *range(spec.low, last + 1)]
    step = int(match["step"] or 1)
    if not step:
        raise NotCron(f"The step in {term!r} is 0.")
    return numbers[::step]


def _number(spec: _Field, text: str) -> int:
    number = spec.names.get(text[:3].lower())
    if number is None and text.isascii() and text.isdigit():
        number = int(text[:9])
    if number is None or not spec.low <= number <= spec.high:
        raise NotCron(f"{text!r} is no {spec.name} to Celery.")
    return number


def _text(spec: _Field, text: str, numbers: frozenset[int]) -> str:
    if numbers == spec.all:
        return "*"
    is_the_same = re.fullmatch(r"\*/\d+", text) or (_PLAIN.fullmatch(text) and not _runs_past_the_end(text))
    return text if is_the_same else ",".join(_runs(sorted(numbers)))


def _runs_past_the_end(text: str) -> bool:
    ranges = (term.partition("/")[0].split("-") for term in text.split(",") if "-" in term)
    return any(int(first) > int(last) for first, last in ranges)


def _runs(numbers: list[int]) -> list[str]:
    """Return the runs of neighbours among ascending numbers as cron writes them."""
    found: list[list[int]] = []
    for each in numbers:
        if found and found[-1][-1] == each - 1:
            found[-1].append(each)
        else:
            found.append([each])
    return [str(each[0]) if len(each) == 1 else f"{each[0]}-{each[-1]}" for each in found]
