"""What a Celery worker does with a message: begin the execution that it names, perform it, record how it ended."""

from __future__ import annotations

import logging
import mmap
import os
import re
import socket
import threading
import time
from typing import ClassVar

from django.db import DatabaseError, InterfaceError

from cronjobs.conf import get_settings
from cronjobs.database import Backoff, SteadyClock, engine_alias
from cronjobs.exceptions import AtLimit, ClaimLost, DefinitionNotFound
from cronjobs.executors.custody import Custody, is_in_transaction
from cronjobs.executors.process import ForkServer
from cronjobs.executors.refusals import is_outage
from cronjobs.models import Job, JobExecution
from cronjobs.models.moves import begin, new_token
from cronjobs.notifications.pinger import process_pinger
from cronjobs.runner import Claim

logger = logging.getLogger(__name__)

# How long, in seconds, a process that ends waits for pings that are being sent.
_LAST_WORDS = 5.0
# As `new_token` makes them. What else is in a message may be nothing that the database understands.
_TOKEN, _GREATEST_ID = re.compile(r"[0-9a-f]{32}"), 2**63 - 1


class Identity:
    """Who this worker is, and whether it stops: made in its first process, known in all that it forks."""

    name: ClassVar[str] = ""
    # One byte that the processes share. Unlike a lock, it cannot be left locked by one that is killed.
    _stopping: ClassVar[mmap.mmap] = mmap.mmap(-1, 1)

    @classmethod
    def assume(cls, hostname: str) -> str:
        """Be the worker that Celery calls `hostname`, and return the name under which it is known here."""
        cls.name = f"{hostname}:{os.getpid()}"[:150]
        cls._stopping[0] = 0
        return cls.name

    @classmethod
    def stop(cls) -> None:
        """Let the jobs of all its processes know that it waits for them in order to end."""
        cls._stopping[0] = 1

    @classmethod
    def is_stopping(cls) -> bool:
        return cls._stopping[0] == 1


class Process:
    """What one process of a worker keeps from one message to the next."""

    _lock: ClassVar[threading.Lock] = threading.Lock()
    _current: ClassVar[Process | None] = None

    def __init__(self) -> None:
        self.pid, self.clock = os.getpid(), SteadyClock()
        self._server = ForkServer()
        self.custody = Custody(self._server, is_stopping=Identity.is_stopping)
        self.custody.start()

    @classmethod
    def current(cls) -> Process:
        """Return that of this process, which is not the one that it was forked from."""
        with cls._lock:
            if cls._current is None or cls._current.pid != os.getpid() or not cls._current.custody.is_alive:
                cls._current = cls()
            return cls._current

    @classmethod
    def leave(cls) -> None:
        """Write and send what is left, and let go of everything: this process ends, and performs nothing any more."""
        with cls._lock:
            current, cls._current = cls._current, None
        if current is not None and current.pid == os.getpid():
            current.custody.close()
            current._server.close()  # noqa: SLF001 - its own
            process_pinger().flush(_LAST_WORDS)


def _begun(execution_id: int, token: str, name: str) -> tuple[JobExecution, Job | None]:
    """Begin it; while the database is away, for as long as a lease lasts, try again: then somebody else will be told."""
    backoff, claim_token = Backoff(engine_alias(JobExecution), "Beginning"), new_token()
    deadline = time.monotonic() + get_settings().lease.total_seconds()
    while True:
        try:
            return begin(execution_id, token, node=name, claim_token=claim_token)
        except (DatabaseError, InterfaceError) as error:
            if not is_outage(error) or time.monotonic() > deadline or is_in_transaction():
                raise
            time.sleep(backoff.failed(error))


def perform(execution_id: object, token: object) -> None:
    """Perform what was dispatched under `token`; a message that names nothing of the kind is refused, and logged."""
    if type(execution_id) is not int or type(token) is not str or not _TOKEN.fullmatch(token):
        logger.warning("A message was refused: it names no execution and no token.")
        return
    if not 0 < execution_id <= _GREATEST_ID:
        logger.warning("A message was refused: no execution has that id.")
        return
    name = Identity.name or Identity.assume(f"celery@{socket.gethostname()}")
    try:
        execution, job = _begun(execution_id, token, name)
    except ClaimLost:
        # As it is meant to be where messages are delivered more than once; the token stays out of the log.
        logger.info("A message was refused: execution %d is not dispatched under its token.", execution_id)
    except (AtLimit, DefinitionNotFound) as error:
        logger.warning("Execution %d was not begun: %s", execution_id, error)
    else:
        process = Process.current()
        # When it began is what the database's clock said just now.
        if execution.started_at is not None:
            process.clock.set(execution.started_at)
        (claim,) = Claim.of_each([(execution, job)])
        process.custody.perform(claim, now=process.clock.now)
