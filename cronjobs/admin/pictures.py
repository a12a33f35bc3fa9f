"""Small pictures, drawn as SVG; each says in words what it shows."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from cronjobs.admin.badges import Tone

_BAR, _GAP, _HEIGHT = 4, 1, 24
# What is next to nothing can still be seen.
_LEAST = 2


def sparkline(values: Sequence[tuple[float, Tone]], *, label: str) -> SafeString:
    """Return a row of bars, one for each value (0 or more) in its colour; `label` says what they are."""
    most = max((value for value, _ in values), default=0) or 1
    bars = format_html_join(
        "",
        '<rect class="cron-{}" x="{}" y="{}" width="{}" height="{}"/>',
        (
            (tone, n * (_BAR + _GAP), _HEIGHT - (height := _bar_height(value / most)), _BAR, height)
            for n, (value, tone) in enumerate(values)
        ),
    )
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
        bars,
    )


def _bar_height(share: float) -> int:
    return max(_LEAST, round(share * _HEIGHT))
