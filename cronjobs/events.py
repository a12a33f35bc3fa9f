"""What observers may listen to. Receivers are called with ``send_robust`` and change no outcome.

They are called once the database has what they are told of, on the thread that wrote it, which
has other work to do: what takes time belongs elsewhere. A process that dies between the commit
and the call tells nobody, so each event comes at most once, and may not come at all.
"""

from __future__ import annotations

import logging
from typing import Any

from django.dispatch import Signal

logger = logging.getLogger(__name__)

# An attempt is about to call the job's function. Arguments: execution.
execution_started = Signal(use_caching=True)
# An execution reached a final state, whichever and wherever, also without having run. Arguments: execution.
execution_finished = Signal(use_caching=True)
# An attempt failed and the execution waits for the next one. Arguments: execution.
execution_retried = Signal(use_caching=True)
# A worker vanished in the middle of an attempt; the execution may be queued again. Arguments: execution.
execution_lost = Signal(use_caching=True)
# An attempt in a thread has taken longer than its job's timeout, and goes on: nobody can stop it. Arguments: execution.
execution_overrunning = Signal(use_caching=True)
# The HTTP API has refused an address, or a user wherever it came from, SUSPICIOUS_REFUSALS times within
# SUSPICIOUS_WINDOW; told once in such a time, over all web processes, in the request that was refused last.
# Arguments: address (of that request, as text), who (its user's name; empty: nobody), count (within the window),
# since (an aware datetime: the first that is counted).
refused_repeatedly = Signal(use_caching=True)


def tell(event: Signal, execution: Any) -> None:
    """Send `event` about `execution` to whoever listens; what they raise is logged and ignored."""
    send(event, type(execution), execution=execution)


def send(event: Signal, sender: type, **arguments: Any) -> None:
    """Send `event` with these arguments to whoever listens; what they raise is logged and ignored."""
    for receiver, answer in event.send_robust(sender=sender, **arguments):
        if isinstance(answer, Exception):
            logger.error("%r failed on %s.", receiver, ", ".join(map(str, arguments.values())), exc_info=answer)
