"""Metrics as text: Prometheus' own format, and OpenMetrics, which differ in little.

Written here and not by the client library: of a thousand jobs that is more than thirty thousand lines, of which
most are the same each time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Self

Kind = Literal["gauge", "counter", "histogram"]

_PREFIX = "cronjobs_"
_ESCAPED = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


@dataclass(frozen=True, slots=True)
class Family:
    """A metric: its name without the app's, what it is and says, its samples as text, a line each, and their labels' names.

    The name of a counter has no ``_total`` here, as in OpenMetrics; its samples have.
    """

    name: str
    kind: Kind
    meaning: str
    samples: Iterable[str]
    label_names: tuple[str, ...] = ()

    @classmethod
    def single(cls, name: str, meaning: str, value: float | None) -> Self:
        """Return a gauge without labels; None: there is nothing to say."""
        return cls(name, "gauge", meaning, [] if value is None else [f"{_PREFIX}{name} {number(value)}\n"])

    @classmethod
    def by(cls, label: str, name: str, meaning: str, values: Mapping[str, float | None]) -> Self:
        """Return a gauge with one label; where the value is None, there is nothing to say."""
        lines = [sample(name, labels(**{label: each}), value) for each, value in values.items() if value is not None]
        return cls(name, "gauge", meaning, lines, (label,))


def labels(**values: str) -> str:
    """Return labels as they stand between the braces, whatever their values hold."""
    return ",".join(f'{name}="{str(value).translate(_ESCAPED)}"' for name, value in values.items())


def sample(name: str, of: str, value: float) -> str:
    """Return the line of a sample; `name` is without the app's, `of` its labels."""
    return f"{_PREFIX}{name}{{{of}}} {number(value)}\n"


def histogram(name: str, of: str, *, bounds: Sequence[str], counts: Sequence[int], number: int, total: float) -> str:
    """Return the lines of a histogram: of `number` values, `counts` lie below each of `bounds` and above the one before."""
    lines, below = [], 0
    for bound, count in zip(bounds, counts, strict=True):
        below += count
        lines.append(f'{_PREFIX}{name}_bucket{{{of},le="{bound}"}} {below}\n')
    lines.append(f'{_PREFIX}{name}_bucket{{{of},le="+Inf"}} {number}\n')
    lines.append(f"{_PREFIX}{name}_count{{{of}}} {number}\n")
    lines.append(f"{_PREFIX}{name}_sum{{{of}}} {total!r}\n")
    return "".join(lines)


def number(value: float) -> str:
    """Return a value as both formats have it."""
    return repr(int(value) if isinstance(value, bool) else value)


def written(families: Iterable[Family], *, is_open: bool) -> bytes:
    """Return the whole text, as OpenMetrics or as Prometheus' own."""
    parts = []
    for each in families:
        suffix = "_total" if each.kind == "counter" and not is_open else ""
        name = f"{_PREFIX}{each.name}{suffix}"
        parts.append(f"# HELP {name} {each.meaning}\n# TYPE {name} {each.kind}\n")
        parts.extend(each.samples)
    if is_open:
        parts.append("# EOF\n")
    # A row that SQL wrote may hold what is no text.
    return "".join(parts).encode(errors="replace")
