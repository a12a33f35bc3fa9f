"""Scheduled jobs for Django that fire exactly when cron says, once, and show what they did."""

from __future__ import annotations

from cronjobs.alerts import AlertPolicy
from cronjobs.exceptions import JobFailed, Retry, Skip
from cronjobs.registry import job
from cronjobs.retries import RetryPolicy
from cronjobs.schedules import At, Cron, Every

__all__ = ["AlertPolicy", "At", "Cron", "Every", "JobFailed", "Retry", "RetryPolicy", "Skip", "job"]
