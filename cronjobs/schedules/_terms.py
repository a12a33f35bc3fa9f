"""What the fields of a valid cron expression say, term by term, for whoever puts them into words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cronjobs.schedules import _fields as fields

# Days of a month that have no number.
LAST, LAST_WEEKDAY = -1, -2


@dataclass(frozen=True, slots=True)
class Term:
    """The values `first` to `last` in steps; `is_star`: all there are. `nth`: which one of its kind in a month."""

    first: int
    last: int
    step: int = 1
    nth: int | None = None
    is_star: bool = False

    @property
    def is_value(self) -> bool:
        """Whether it is a single value."""
        return self.first == self.last and not self.is_star

    @property
    def is_run(self) -> bool:
        """Whether it is several values in a row, and not all."""
        return self.first != self.last and self.step == 1 and not self.is_star


class Terms(tuple[Term, ...]):
    """The terms of a field: at least one, each of them once."""

    __slots__ = ()

    @property
    def are_all(self) -> bool:
        """Whether nothing is left out."""
        return all(each.is_star and each.step == 1 for each in self)

    @property
    def are_values(self) -> bool:
        """Whether all of them are single values."""
        return all(each.is_value for each in self)

    @property
    def have_values(self) -> bool:
        """Whether single values are among them."""
        return any(each.is_value for each in self)

    @property
    def values(self) -> list[int]:
        """The single values among them."""
        return [each.first for each in self if each.is_value]

    @property
    def only(self) -> int | None:
        """The one value there is; None if there are more."""
        return self[0].first if len(self) == 1 and self[0].is_value else None

    @property
    def is_zero(self) -> bool:
        """Whether 0 is the one value there is."""
        return self.only == 0


def terms_of(spec: fields.Field, text: str) -> Terms:
    """Return the terms of the field `spec` whose valid text is `text`."""
    return Terms(dict.fromkeys(term for part in text.upper().split(",") for term in _read(spec, part)))


def _read(spec: fields.Field, part: str) -> Iterator[Term]:
    body, _, step = part.partition("/")
    if spec is fields.DAY_OF_MONTH and body in {"L", "LW"}:
        value = LAST if body == "L" else LAST_WEEKDAY
        yield Term(value, value, nth=LAST)
    elif spec is fields.DAY_OF_WEEK and (step or body[-1] == "L" or "#" in body):
        yield from _read_weekdays(body, part)
    elif body == "*":
        yield _star(spec, int(step or 1))
    elif "-" in body:
        yield from _read_range(spec, body, step)
    else:
        value = fields.number_in(spec, body)
        yield Term(value, value)


def _star(spec: fields.Field, step: int) -> Term:
    # A step over the whole field only leaves its beginning.
    return Term(spec.low, spec.low) if step > spec.high - spec.low else Term(spec.low, spec.high, step, is_star=True)


def _read_range(spec: fields.Field, body: str, step: str) -> Iterator[Term]:
    first, last = (fields.number_in(spec, end) for end in body.split("-"))
    if first == spec.low and last == spec.high:
        yield Term(first, last, int(step or 1), is_star=True)
    elif last - first == 1 and not step:
        yield from (Term(first, first), Term(last, last))
    else:
        yield Term(first, last, int(step or 1))


def _read_weekdays(body: str, part: str) -> Iterator[Term]:
    if body[-1] == "L":
        day = fields.number_in(fields.DAY_OF_WEEK, body[:-1])
        yield Term(day, day, nth=LAST)
    elif "#" in body:
        name, _, nth = body.partition("#")
        day = fields.number_in(fields.DAY_OF_WEEK, name)
        yield Term(day, day, nth=int(nth))
    else:
        # "Every second day of the week" would not begin anew on Sunday.
        days = sorted({number % 7 for number in fields.expand(fields.DAY_OF_WEEK, part)})
        yield from (Term(day, day) for day in days)
