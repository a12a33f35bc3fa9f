"""What every executor does: take claims, run each through the runner, and hand over the ending."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection

from cronjobs.models.moves import Ending
from cronjobs.runner import Claim

# Receives each claim with its ending, exactly once, from whatever thread the attempt ran in.
Done = Callable[[Claim, Ending], None]


class Executor(ABC):
    """Runs attempts somewhere."""

    def prepare(self) -> None:  # noqa: B027 - not every executor has something to prepare
        """Begin to make ready what the first claims will need; does not wait for it."""

    @abstractmethod
    def free(self) -> int:
        """Return how many more claims can be taken now."""

    @abstractmethod
    def submit(self, claim: Claim) -> None:
        """Start the attempt, or arrange that it starts; never blocks for its duration."""

    def at_once(self) -> int:
        """Return how many of these would begin at once."""
        return self.free()

    def withdraw(self, *, older_than: float = 0.0, queues: Collection[str] = ()) -> list[Claim]:
        """Return the claims that have not begun, for so many seconds or longer, and all those of `queues`; they never begin here."""
        return []

    def is_waiting(self, claim: Claim) -> bool:
        """Return whether it has been submitted, and has not begun."""
        return False

    @abstractmethod
    def shutdown(self) -> None:
        """Take no more claims; what runs goes on."""

    def abort(self, hurry: threading.Event) -> None:  # noqa: B027 - not every executor can
        """End what runs and can be ended, without handing over endings; `hurry` leaves no grace."""

    def close(self) -> None:  # noqa: B027 - not every executor has something to close
        """Let go of everything; nothing runs any more, or nothing that could be ended."""
