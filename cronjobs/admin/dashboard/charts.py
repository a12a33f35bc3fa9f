"""Where in a picture things are: columns and lines over the hours of a day, as whole numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from cronjobs.admin.badges import Tone, status_tone
from cronjobs.admin.dashboard.hours import Hour

# Units of the pictures; they are stretched to whatever room there is.
COLUMN: Final = 10
HEIGHT: Final = 100
_GAP: Final = 2
# What is next to nothing can still be seen.
_LEAST: Final = 2

# From the bottom up: failures stand on the ground, where they can be compared.
LAYERS: Final = (Tone.BAD, Tone.ODD, Tone.GOOD, Tone.QUIET)


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a column."""

    tone: Tone
    y: int
    height: int


@dataclass(frozen=True, slots=True)
class Column:
    """An hour, and how many ended in it, by what that means."""

    hour: Hour
    x: int
    width: int
    segments: Sequence[Segment]


def columns(hours: Sequence[Hour]) -> list[Column]:
    """Return a stacked column for each hour; the fullest reaches to the top."""
    most = max((each.ended for each in hours), default=0) or 1
    return [
        Column(hour, n * COLUMN + _GAP // 2, COLUMN - _GAP, list(_segments(hour, most))) for n, hour in enumerate(hours)
    ]


def _segments(hour: Hour, most: int) -> Iterator[Segment]:
    top = HEIGHT
    for tone in LAYERS:
        number = sum(count for status, count in hour.outcomes.items() if status_tone(status) == tone)
        if number:
            height = min(max(_LEAST, round(number / most * HEIGHT)), top)
            top -= height
            yield Segment(tone, top, height)


def line(values: Sequence[float | None], *, most: float) -> list[str]:
    """Return the points of a line through the middles of the columns: a text for each stretch without a gap.

    `most`, which is more than nothing, reaches to the top.
    """
    stretches: list[list[tuple[int, int]]] = [[]]
    for n, value in enumerate(values):
        if value is None:
            stretches.append([])
        else:
            stretches[-1].append((n * COLUMN + COLUMN // 2, _y(value, most)))
    return [_points(each) for each in stretches if each]


def evenly(values: Sequence[float], *, most: float) -> str:
    """Return the points of a line through values that are as far apart from each other, a unit each."""
    return " ".join(f"{n},{_y(value, most)}" for n, value in enumerate(values))


def _y(value: float, most: float) -> int:
    # A line at the very edge would be cut.
    return round(HEIGHT - 1 - value / most * (HEIGHT - 2))


def _points(stretch: Sequence[tuple[int, int]]) -> str:
    if len(stretch) == 1:
        # A single point has no length, and could not be seen.
        ((x, y),) = stretch
        stretch = [(x - COLUMN // 3, y), (x + COLUMN // 3, y)]
    return " ".join(f"{x},{y}" for x, y in stretch)
