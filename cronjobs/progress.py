"""How far a job says that it has come: kept at next to no cost, stored now and then, and shown with an estimate."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cronjobs.conf import get_settings
from cronjobs.storable import rfc3339, storable_text

_MESSAGE_MAX_BYTES = 500
# The largest whole number that JavaScript holds.
_LARGEST_INT = 2**53


class ProgressMeter:
    """Holds the newest progress of one attempt. One thread or several may set it, another takes it.

    What is taken is plain data, so that another process may hand it on: ``{"done", "total",
    "message", "at"}``, where a number that is not finite, or unknown, is None.
    """

    __slots__ = ("_newest", "_taken")

    def __init__(self) -> None:
        # Replaced as a whole, so that nobody sees half of one.
        self._newest: tuple[float, float | None, str, float] | None = None
        self._taken: object = None

    def set(self, done: float, total: float | None = None, message: str = "") -> None:
        """Replace the progress; raise `TypeError` for what is no number. A million calls a second are no burden."""
        if type(done) is not int and type(done) is not float:
            done = _number(done, "done")
        if total is not None and type(total) is not int and type(total) is not float:
            total = _number(total, "total")
        if type(message) is not str:
            message = storable_text(message)
        self._newest = done, total, message, time.time()

    def newest(self) -> dict[str, Any] | None:
        """Return the progress as data; None if the attempt has not said any."""
        newest = self._newest
        return None if newest is None else _document(*newest)

    def take(self) -> dict[str, Any] | None:
        """Return the progress as data if it has been set since the last call, else None."""
        newest = self._newest
        if newest is None or newest is self._taken:
            return None
        self._taken = newest
        return _document(*newest)

    def give_back(self) -> None:
        """Let the next `take` return the progress again: it could not be stored."""
        self._taken = None

    def receive(self, document: dict[str, Any]) -> None:
        """Replace the progress by what another meter's `take` returned, in another process."""
        done = document["done"]
        at = datetime.fromisoformat(document["at"]).timestamp()
        self._newest = math.nan if done is None else done, document["total"], document["message"], at


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Progress as it is shown. `percent` is whole, rounded down, 0 to 100; None if there is no telling."""

    done: float | None
    total: float | None
    message: str
    percent: int | None
    eta: timedelta | None

    def document(self) -> dict[str, Any]:
        """Return it as the JSON data that programs read."""
        eta = None if self.eta is None else round(self.eta.total_seconds())
        return {
            "done": self.done,
            "total": self.total,
            "percent": self.percent,
            "message": self.message,
            "etaSeconds": eta,
        }


def read_progress(stored: object, *, started_at: datetime | None, now: datetime | None) -> Progress | None:
    """Return what to show for a stored value, whatever it is; None if there is nothing.

    `now` (aware) is None for what does not run any more: then nothing is estimated.
    """
    if not isinstance(stored, dict):
        return None
    done, total = _finite(stored.get("done")), _finite(stored.get("total"))
    message = stored.get("message")
    is_running = started_at is not None and now is not None
    return Progress(
        done=done,
        total=total,
        message=message if isinstance(message, str) else "",
        percent=percent(done, total),
        eta=eta(started_at, now, done, total) if is_running else None,  # type: ignore[arg-type]  # both are there
    )


def percent(done: float | None, total: float | None) -> int | None:
    """Return how much is done, in whole percent, rounded down; of nothing at all everything is done."""
    if done is None or total is None or total < 0:
        return None
    return int(min(1.0, max(0.0, done / total)) * 100) if total else 100


def eta(started_at: datetime, now: datetime, done: float | None, total: float | None) -> timedelta | None:
    """Return how long the rest will take if it goes on as it went so far; None if there is no telling."""
    elapsed = now - started_at
    if done is None or total is None or not 0 < done <= total or elapsed <= timedelta(0):
        return None
    try:
        return elapsed * ((total - done) / done)
    except OverflowError:
        return None


def _document(done: float, total: float | None, message: str, at: float) -> dict[str, Any]:
    text = storable_text(message, max_bytes=_MESSAGE_MAX_BYTES, mask=get_settings().mask)
    moment = rfc3339(datetime.fromtimestamp(at, UTC))
    return {"done": _finite(done), "total": _finite(total), "message": text, "at": moment}


def _number(value: Any, name: str) -> float:
    """Return a number of a foreign kind (Decimal, Fraction, numpy's) as one of Python's own."""
    if isinstance(value, bool | str | bytes) or not hasattr(type(value), "__float__"):
        raise TypeError(f"{name} must be a number, not {storable_text(repr(value), max_bytes=100)}.")
    try:
        return float(value)
    except OverflowError:
        return math.inf
    except ValueError:
        return math.nan


def _finite(value: Any) -> float | None:
    """Return a number that JSON and its readers can hold; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, int) and abs(value) < _LARGEST_INT:
        return value
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None
