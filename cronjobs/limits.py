"""How much a job may take: starts per period, bytes of memory. Text in, plain values out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

from cronjobs.exceptions import InvalidLimit
from cronjobs.language import gettext as _

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_RATE = re.compile(
    r"(?P<starts>[0-9]{1,6})\s*/\s*(?P<count>[0-9]{0,6})\s*(?P<unit>s(?:ec)?|m(?:in)?|h(?:our)?|d(?:ay)?)", re.ASCII
)
_SIZES = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_BYTES = re.compile(r"(?P<count>[0-9]{1,15})\s*(?P<unit>[kmgt]?)i?b?", re.ASCII | re.IGNORECASE)
_LONGEST_PERIOD = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `starts` starts within any `period`, over all nodes; further executions wait."""

    starts: int
    period: timedelta

    def __str__(self) -> str:
        seconds = int(self.period.total_seconds())
        unit = next(unit for unit in ("d", "h", "m", "s") if seconds % _UNITS[unit] == 0)
        count = seconds // _UNITS[unit]
        return f"{self.starts}/{'' if count == 1 else count}{unit}"


def parse_rate_limit(text: str) -> RateLimit:
    """Return the limit that ``"10/m"``, ``"1/90s"`` or ``"100/2h"`` describes; raise `InvalidLimit` otherwise.

    Units may be written out as REST framework has them: sec, min, hour, day.
    """
    match = _RATE.fullmatch(str(text).strip())
    if match is None:
        message = _("A rate limit is starts per period, such as 10/m, 1/90s or 100/2h, not %(text)r.")
        raise InvalidLimit(message % {"text": text})
    starts, seconds = int(match["starts"]), int(match["count"] or 1) * _UNITS[match["unit"][0]]
    if not starts or not seconds or seconds > _LONGEST_PERIOD.total_seconds():
        message = _("A rate limit allows at least one start in a period of up to a year, not %(text)r.")
        raise InvalidLimit(message % {"text": text})
    return RateLimit(starts, timedelta(seconds=seconds))


def parse_bytes(value: int | str) -> int:
    """Return the number of bytes that a number, or text such as ``"512M"`` or ``"2 GiB"``, stands for.

    Units are powers of 1024. Raises `InvalidLimit` for anything else, and for less than 1.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    else:
        match = _BYTES.fullmatch(value.strip()) if isinstance(value, str) else None
        if match is None:
            message = _("A memory limit is a number of bytes or text such as 512M or 2G, not %(value)r.")
            raise InvalidLimit(message % {"value": value})
        number = int(match["count"]) * _SIZES[match["unit"].lower()]
    if number < 1:
        raise InvalidLimit(_("A memory limit is at least one byte, not %(value)r.") % {"value": value})
    return number
