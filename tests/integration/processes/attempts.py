"""Attempts in processes, begun as a node begins them, and what is left of them."""

from __future__ import annotations

import threading
from typing import Any

from cronjobs.database import read_clock
from cronjobs.executors.process import Stop, attempt_in_process
from cronjobs.models import Job, JobExecution
from cronjobs.models.moves import claim_one, record
from cronjobs.runner import Claim, announce
from tests.servers import wait_for


class Running:
    """An attempt under way."""

    def __init__(self, server, name, params):
        execution = JobExecution.objects.request(name, params=params)
        claimed = claim_one(execution, node="a", now=read_clock("default"))
        self.claim, self.stop, self.ending = Claim.of(claimed, Job.objects.get(name=name)), Stop(), None
        self._server = server
        self._resolved = self.claim.job.resolve()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def outcome(self):
        """Wait for the end, record it, and return the execution."""
        self._thread.join(60)
        assert not self._thread.is_alive()
        assert record(self.claim.log.take(), [self.ending]) == set()
        announce(self.ending)
        return JobExecution.objects.get(pk=self.claim.execution.pk)

    def finish(self):
        """End the attempt as a node does that stops."""
        self.stop.is_wanted.set()
        self.stop.is_urgent.set()
        self._thread.join(60)

    def _run(self):
        clock = self.claim.execution.started_at
        self.ending = attempt_in_process(
            self.claim, self._resolved, now=lambda: clock, server=self._server, stop=self.stop
        )


def lines_of(execution: JobExecution) -> list[str]:
    """Return what an execution has logged."""
    return list(execution.log_lines.values_list("message", flat=True))


def limit(name: str = "limited", **columns: Any) -> None:
    """Set limits of a job."""
    Job.objects.filter(name=name).update(**columns)


def helpers_of(path):
    """Return the process ids that a job has noted: its own, and those of its helpers."""
    return wait_for(lambda: path.exists() and [int(each) for each in path.read_text().split()])
