"""Small pictures, drawn as SVG; each says in words what it shows."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from cronjobs.admin.badges import Tone

_BAR, _GAP, _HEIGHT = 4, 1, 24
# What is next to nothing can still be seen.
_LEAST = 2


def sparkline(values: Sequence[tuple[float, Tone]], *, label: str) -> SafeString:
    """Return a row of bars, one for each value (0 or more) in its colour; `label` says what they are."""
    most = max((value for value, _ in values), default=0) or 1
    # Numbers and tones need no escaping, which for the three thousand bars of a list takes as long as all the rest.
    bars = "".join(_bar(number, _bar_height(value / most), tone) for number, (value, tone) in enumerate(values))
    width = max(len(values) * (_BAR + _GAP) - _GAP, 1)
    return format_html(
        '<svg class="cron-sparkline" role="img" aria-label="{}" width="{}" height="{}" viewBox="0 0 {} {}">'
        "<title>{}</title>{}</svg>",
        label,
        width,
        _HEIGHT,
        width,
        _HEIGHT,
        label,
        mark_safe(bars),  # noqa: S308 - see above
    )


def _bar_height(share: float) -> int:
    return max(_LEAST, round(share * _HEIGHT))


def _bar(number: int, height: int, tone: Tone) -> str:
    x, y = number * (_BAR + _GAP), _HEIGHT - height
    return f'<rect class="cron-{tone}" x="{x}" y="{y}" width="{_BAR}" height="{height}"/>'
