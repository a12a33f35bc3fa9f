"""The rows: jobs and calendars, executions with their attempts and log lines, nodes."""

from __future__ import annotations

from cronjobs.models.calendar import Calendar
from cronjobs.models.choices import Overlap, Priority, Trigger
from cronjobs.models.execution import ExecutionAttempt, ExecutionLog, JobExecution
from cronjobs.models.job import Job
from cronjobs.models.node import Node
from cronjobs.models.resolved import ResolvedJob

__all__ = [
    "Calendar",
    "ExecutionAttempt",
    "ExecutionLog",
    "Job",
    "JobExecution",
    "Node",
    "Overlap",
    "Priority",
    "ResolvedJob",
    "Trigger",
]
