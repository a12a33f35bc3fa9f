"""The rows: jobs, executions with their attempts and log lines, nodes."""

from __future__ import annotations

from cronjobs.models.execution import ExecutionAttempt, ExecutionLog, JobExecution, Trigger
from cronjobs.models.job import Job, Overlap, Priority, ResolvedJob
from cronjobs.models.node import Node

__all__ = [
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
