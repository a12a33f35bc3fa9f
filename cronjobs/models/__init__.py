"""The rows: jobs, calendars and queues, executions with their attempts and log lines, nodes, Celery workers, roll-ups, alerts, keys of the API and what it did."""

from __future__ import annotations

from cronjobs.models.alerts import Alert, AlertDelivery, AlertNotice, AlertRound, AlertState
from cronjobs.models.api_key import ApiKey
from cronjobs.models.attempt import ExecutionAttempt, ExecutionLog
from cronjobs.models.audit_entry import AuditEntry
from cronjobs.models.calendar import Calendar
from cronjobs.models.choices import ExecutorName, Overlap, Priority, Trigger
from cronjobs.models.dashboard import Dashboard
from cronjobs.models.execution import JobExecution
from cronjobs.models.job import Job
from cronjobs.models.node import Node
from cronjobs.models.queue import Queue
from cronjobs.models.resolved import ResolvedJob
from cronjobs.models.rollups import HourlyRollup, JobTotals, RolledHour, RollupMark
from cronjobs.models.suspect import Suspect
from cronjobs.models.worker import CeleryWorker

__all__ = [
    "Alert",
    "AlertDelivery",
    "AlertNotice",
    "AlertRound",
    "AlertState",
    "ApiKey",
    "AuditEntry",
    "Calendar",
    "CeleryWorker",
    "Dashboard",
    "ExecutionAttempt",
    "ExecutionLog",
    "ExecutorName",
    "HourlyRollup",
    "Job",
    "JobExecution",
    "JobTotals",
    "Node",
    "Overlap",
    "Priority",
    "Queue",
    "ResolvedJob",
    "RolledHour",
    "RollupMark",
    "Suspect",
    "Trigger",
]
