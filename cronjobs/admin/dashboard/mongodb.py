"""Whether MongoDB answers, without waiting for it: a server that is away keeps its driver busy for seconds."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, field
from typing import Final

from django.utils.translation import gettext as _

from cronjobs import health

# A server that is well answers within this, in seconds.
PATIENCE: Final = 0.2
# How long an answer counts, in seconds, so that many who look ask no more often than one.
_GOOD_FOR: Final = 5.0
_OLDEST: Final = 60.0
# A question that is open for longer is an answer, in seconds.
_TOO_LONG: Final = 15.0


@dataclass(slots=True)
class _Answers:
    """The newest answer of this process's questions, of which one at a time is under way."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    asking: threading.Thread | None = None
    asked_at: float = 0.0
    newest: health.Probe | None = None
    at: float = 0.0

    def age(self) -> float:
        return time.monotonic() - self.at if self.newest is not None else float("inf")


_answers = _Answers()


def mongodb_probe() -> health.Probe | None:
    """Return what `health.check_mongodb` found just now; None: this process has only just asked.

    Waits for `PATIENCE` at most. The question itself goes on in a thread, and whoever looks next is told its answer.
    """
    if not health.mongodb_configured():
        return health.Probe(name="mongodb", status=health.Status.NOT_CONFIGURED, message="")
    if _answers.age() > _GOOD_FOR:
        asking = _ask()
        # Only if there is nothing else to say: while the server is away, the page is no slower than else.
        if _answers.age() > _OLDEST:
            asking.join(PATIENCE)
    if _answers.age() <= _OLDEST:
        return _answers.newest
    if time.monotonic() - _answers.asked_at > _TOO_LONG:
        return health.Probe(name="mongodb", status=health.Status.FAILED, message=_("MongoDB does not answer."))
    return None


def forget_mongodb() -> None:
    """Wait for the question that is under way, if there is one, and forget the answers."""
    global _answers  # noqa: PLW0603 - one process, one MongoDB
    if (asking := _answers.asking) is not None:
        asking.join()
    _answers = _Answers()


def _ask() -> threading.Thread:
    answers = _answers
    with answers.lock:
        if answers.asking is None or not answers.asking.is_alive():
            answers.asking = threading.Thread(target=_listen, args=(answers,), name="cronjobs-mongodb", daemon=True)
            answers.asked_at = time.monotonic()
            answers.asking.start()
        return answers.asking


def _listen(answers: _Answers) -> None:
    # Touches no SQL database, so this thread leaves no connection behind.
    answers.newest, answers.at = health.check_mongodb(), time.monotonic()


def _after_fork() -> None:
    # The thread, and whoever held the lock, do not exist in the child.
    global _answers  # noqa: PLW0603 - as above
    _answers = _Answers()


os.register_at_fork(after_in_child=_after_fork)
