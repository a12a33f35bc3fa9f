"""The life of an execution as a picture and as a table, drawn from the moves that the code allows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from cronjobs.states import MOVES, OPEN, ExecutionStatus
from tests.reference import table

_S = ExecutionStatus
_WIDTH, _HEIGHT, _ASIDE = 132, 40, 12
_ARROWHEAD = (
    '<marker id="end" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
    '<path d="M0 0 8 4 0 8z"/></marker>'
)
# Where the middle of each status lies.
PLACES: Final[dict[ExecutionStatus, tuple[int, int]]] = {
    _S.TIMED_OUT: (400, 40),
    _S.SKIPPED: (400, 130),
    _S.QUEUED: (90, 230),
    _S.RUNNING: (710, 230),
    _S.CANCELLED: (400, 330),
    _S.LOST: (400, 420),
    _S.SUCCEEDED: (930, 130),
    _S.FAILED: (930, 330),
    _S.MISSED: (930, 420),
}
# What makes an execution move: short for the picture, and as a sentence.
WHY: Final[dict[tuple[ExecutionStatus, ExecutionStatus], tuple[str, str]]] = {
    (_S.QUEUED, _S.RUNNING): ("claimed", "A node claims it, or a Celery worker begins it."),
    (_S.QUEUED, _S.CANCELLED): ("called off", "Somebody calls it off before it has begun, or between two attempts."),
    (_S.QUEUED, _S.SKIPPED): ("left out", "It is not to be performed after all; the reason is recorded."),
    (_S.RUNNING, _S.SUCCEEDED): ("returned", "The job returned."),
    (_S.RUNNING, _S.FAILED): ("raised", "The job raised, and no attempt is left, or the error is never retried."),
    (_S.RUNNING, _S.QUEUED): (
        "next attempt",
        "The job raised and has attempts left; or the claim was handed back before it began.",
    ),
    (_S.RUNNING, _S.TIMED_OUT): (
        "took too long",
        "The last attempt took longer than the job's timeout, and was ended.",
    ),
    (_S.RUNNING, _S.CANCELLED): ("stopped", "Somebody asked it to stop, and its code has ended."),
    (_S.RUNNING, _S.LOST): ("worker vanished", "Its lease ran out, or its node ended before it did."),
    (_S.RUNNING, _S.SKIPPED): ("Skip", "The job raised Skip: there was nothing to do."),
    (_S.TIMED_OUT, _S.QUEUED): (
        "attempts left",
        "It has attempts left: in the same step, so that nobody sees it in between.",
    ),
    (_S.LOST, _S.QUEUED): (
        "rerun_lost",
        "The job says rerun_lost, and the execution has not been lost too often: in the same step as well.",
    ),
    (_S.SKIPPED, _S.QUEUED): ("revived", "A back-fill, or a flow whose failed part was run again, wants it after all."),
}
_STYLE = """\
text { font: 14px system-ui, sans-serif; fill: #1c2b33; }
.why { font-size: 12px; fill: #455a64; paint-order: stroke; stroke: #ffffff; stroke-width: 5px; }
.paper { fill: #ffffff; }
.box { fill: #ffffff; stroke: #00796b; stroke-width: 1.5; }
.open .box { fill: #e0f2f1; stroke-width: 2.5; }
path { fill: none; stroke: #607d8b; stroke-width: 1.3; }
marker path { fill: #607d8b; stroke: none; }
@media (prefers-color-scheme: dark) {
  text { fill: #eceff1; }
  .why { fill: #cfd8dc; stroke: #1e2129; }
  .paper { fill: #1e2129; }
  .box { fill: #263238; stroke: #4db6ac; }
  .open .box { fill: #004d40; }
  path { stroke: #90a4ae; }
  marker path { fill: #90a4ae; }
}
"""


def moves_table() -> str:
    """Return every move with what makes it."""
    rows = [(f"`{source}`", f"`{target}`", WHY[source, target][1]) for source, target in moves()]
    return table(("from", "to", ""), rows)


def moves() -> Iterator[tuple[ExecutionStatus, ExecutionStatus]]:
    """Yield every move that the code allows, in the order of the statuses."""
    for source in ExecutionStatus:
        yield from ((source, target) for target in ExecutionStatus if target in MOVES[source])


def picture() -> str:
    """Return the picture, as SVG."""
    lines = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1010 460" role="img" aria-labelledby="title">',
        '<title id="title">The statuses of an execution, and which may follow which</title>',
        f"<style>\n{_STYLE}</style>",
        f"<defs>{_ARROWHEAD}</defs>",
        '<rect class="paper" width="1010" height="460"/>',
        *(_arrow(source, target) for source, target in moves()),
        *(_box(status) for status in ExecutionStatus),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _box(status: ExecutionStatus) -> str:
    x, y = PLACES[status]
    kind = ' class="open"' if status in OPEN else ""
    corner = f'x="{x - _WIDTH / 2:g}" y="{y - _HEIGHT / 2:g}"'
    return (
        f'<g id="{status}"{kind}><rect class="box" {corner} width="{_WIDTH}" height="{_HEIGHT}" rx="8"/>'
        f'<text x="{x}" y="{y + 5}" text-anchor="middle">{status}</text></g>'
    )


def _arrow(source: ExecutionStatus, target: ExecutionStatus) -> str:
    x1, y1, x2, y2 = _line(source, target)
    label = f'x="{(x1 + x2) / 2:.1f}" y="{(y1 + y2) / 2 + 4:.1f}" text-anchor="middle"'
    return (
        f'<g class="move" data-from="{source}" data-to="{target}">'
        f'<path d="M{x1:.1f} {y1:.1f} {x2:.1f} {y2:.1f}" marker-end="url(#end)"/>'
        f'<text class="why" {label}>{WHY[source, target][0]}</text></g>'
    )


def _line(source: ExecutionStatus, target: ExecutionStatus) -> tuple[float, float, float, float]:
    """Return where the arrow from one box to another begins and ends."""
    (x1, y1), (x2, y2) = _border(source, target), _border(target, source)
    if source not in MOVES[target]:
        return x1, y1, x2, y2
    # Two that lead to and fro lie beside each other.
    length = math.hypot(x2 - x1, y2 - y1)
    aside_x, aside_y = (y2 - y1) / length * -_ASIDE, (x2 - x1) / length * _ASIDE
    return x1 + aside_x, y1 + aside_y, x2 + aside_x, y2 + aside_y


def _border(status: ExecutionStatus, towards: ExecutionStatus) -> tuple[float, float]:
    """Return where a line from the middle of a box towards another one leaves it."""
    (x, y), (to_x, to_y) = PLACES[status], PLACES[towards]
    dx, dy = to_x - x, to_y - y
    scale = min(_WIDTH / 2 / abs(dx) if dx else math.inf, _HEIGHT / 2 / abs(dy) if dy else math.inf)
    return x + dx * scale, y + dy * scale
