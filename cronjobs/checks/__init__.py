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
from cronjobs.checks._database import check_isolation, check_job_dependencies, check_sqlite, check_tables
from cronjobs.checks._definitions import check_generators, check_options, check_parameters, check_past_schedules
from cronjobs.checks._deployment import DEPLOYMENT, check_api_limits, check_deployment, check_telling
from cronjobs.checks._project import check_engine_database, check_log, check_mount, check_routers, check_templates
from cronjobs.checks._settings import (
    check_body_limit,
    check_combinations,
    check_mongodb,
    check_name_of_settings,
    check_never_retried,
    check_ping_hosts,
    check_queue_executors,
)

__all__ = [
    "DEPLOYMENT",
    "STRICT",
    "check_api_limits",
    "check_body_limit",
    "check_cache",
    "check_celery_app",
    "check_celery_definitions",
    "check_celery_jobs",
    "check_combinations",
    "check_definitions",
    "check_definitions_strictly",
    "check_dependencies",
    "check_deployment",
    "check_engine_database",
    "check_generators",
    "check_isolation",
    "check_job_dependencies",
    "check_log",
    "check_mongodb",
    "check_mount",
    "check_name_of_settings",
    "check_never_retried",
    "check_notifiers",
    "check_options",
    "check_parameters",
    "check_past_schedules",
    "check_ping_hosts",
    "check_queue_executors",
    "check_recipients",
    "check_required_parameters",
    "check_routers",
    "check_scheduled_names",
    "check_schedules",
    "check_settings",
    "check_sqlite",
    "check_tables",
    "check_telling",
    "check_templates",
]
