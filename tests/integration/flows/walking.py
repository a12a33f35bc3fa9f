"""What nodes do with flows, step by step, and what has become of their members."""

from __future__ import annotations

from cronjobs.database import read_clock
from cronjobs.models import JobExecution
from cronjobs.models.reruns import retry
from cronjobs.scheduler.followups import Sweep, follow_up
from cronjobs.testing import run_queued
from tests.integration.conftest import flow_rows


def sweep() -> Sweep:
    """Follow up once what has ended."""
    return follow_up(read_clock("default"))


def perform_all() -> None:
    """Do what a node does until there is nothing left to do."""
    run_queued(raise_exceptions=False)


def flow_of(root: JobExecution) -> dict[str, str]:
    """Return what became of each job in the flow, the root included."""
    rows = flow_rows(root)
    return dict(rows.values_list("job_name", "status"))


def named(root: JobExecution, name: str) -> JobExecution:
    """Return the latest execution of a job in the flow."""
    return flow_rows(root).filter(job_name=name).latest("pk")


def run_again(execution: JobExecution) -> JobExecution:
    """Ask for an execution to be repeated, and return the repetition."""
    return retry(execution.pk).execution
