"""What a Prometheus server reads: how nodes and queues stand, and what has ended since the beginning.

All of it is read from SQL when it is asked for, in a fixed number of statements, so every web
process says the same, and goes on where another one stopped. Nothing is counted between two scrapes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cronjobs.metrics.families import Family, written
from cronjobs.metrics.past import what_ended
from cronjobs.metrics.present import what_is

_OPENMETRICS: Final = "application/openmetrics-text"
_PLAIN_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_OPENMETRICS_TYPE: Final = f"{_OPENMETRICS}; version=1.0.0; charset=utf-8"


def exposition(accept: str = "") -> tuple[bytes, str]:
    """Return the metrics as text and its content type: OpenMetrics if a header ``Accept`` names it, else Prometheus' own."""
    # Of a header only this one word: whoever names it understands it.
    is_open = _OPENMETRICS in accept
    return written(families(), is_open=is_open), _OPENMETRICS_TYPE if is_open else _PLAIN_TYPE


def families() -> Iterator[Family]:
    """Yield every metric as it is now."""
    yield from what_is()
    yield from what_ended()
