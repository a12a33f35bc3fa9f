"""Somebody who performs in this process whatever is due, as commands and requests do with one execution."""

from __future__ import annotations

import threading
from contextlib import suppress

from django.db import connections

from cronjobs.database import read_clock
from cronjobs.exceptions import AtLimit, ClaimLost
from cronjobs.executors.inline import perform_inline
from cronjobs.models import JobExecution


class InlinePerformers:
    """So many threads, each of which performs one execution after the other until they are closed."""

    def __init__(self, number: int) -> None:
        self._closed = threading.Event()
        self._errors: list[BaseException] = []
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(number)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Wait for what they perform; raise what went wrong in them."""
        self._closed.set()
        for thread in self._threads:
            thread.join()
        for error in self._errors:
            raise error

    def _run(self) -> None:
        try:
            while not self._closed.wait(0.05):
                for execution in JobExecution.objects.claimable(read_clock("default")):
                    with suppress(AtLimit, ClaimLost):
                        perform_inline(execution, within_limits=True)
        except Exception as error:  # noqa: BLE001 - shown when they are closed
            self._errors.append(error)
        finally:
            connections.close_all()
