"""The rows: jobs, calendars and queues, executions with their attempts and log lines, nodes."""

from __future__ import annotations

from cronjobs.models.calendar import Calendar
from cronjobs.models.choices import ExecutorName, Overlap, Priority, Trigger
from cronjobs.models.execution import ExecutionAttempt, ExecutionLog, JobExecution
from cronjobs.models.job import Job
from cronjobs.models.node import Node
from cronjobs.models.queue import Queue
from cronjobs.models.resolved import ResolvedJob

__all__ = [
    "Calendar",
    "ExecutionAttempt",
    "ExecutionLog",
    "ExecutorName",
    "Job",
    "JobExecution",
    "Node",
    "Overlap",
    "Priority",
    "Queue",
    "ResolvedJob",
    "Trigger",
]
