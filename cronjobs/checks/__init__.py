"""System checks: what is wrong before anything runs. Warnings where life can go on, since an Error stops ``runcron``."""

from __future__ import annotations

from cronjobs.checks._celery import check_celery_app, check_celery_definitions, check_celery_jobs
from cronjobs.checks._code import (
    STRICT,
    check_cache,
    check_definitions,
    check_definitions_strictly,
    check_dependencies,
    check_notifiers,
    check_recipients,
    check_required_parameters,
    check_scheduled_names,
    check_schedules,
    check_settings,
)
from cronjobs.checks._database import check_isolation, check_job_dependencies, check_sqlite

__all__ = [
    "STRICT",
    "check_cache",
    "check_celery_app",
    "check_celery_definitions",
    "check_celery_jobs",
    "check_definitions",
    "check_definitions_strictly",
    "check_dependencies",
    "check_isolation",
    "check_job_dependencies",
    "check_notifiers",
    "check_recipients",
    "check_required_parameters",
    "check_scheduled_names",
    "check_schedules",
    "check_settings",
    "check_sqlite",
]
