"""Who may do what: the one list of permissions that admin, API and commands ask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

VIEW_JOBS = "cronjobs.view_job"
ADD_JOBS = "cronjobs.add_job"
CHANGE_JOBS = "cronjobs.change_job"
DELETE_JOBS = "cronjobs.delete_job"
VIEW_QUEUES = "cronjobs.view_queue"
CHANGE_QUEUES = "cronjobs.change_queue"
VIEW_EXECUTIONS = "cronjobs.view_jobexecution"
RUN_JOBS = "cronjobs.run_job"
PAUSE_JOBS = "cronjobs.pause_job"
RESUME_JOBS = "cronjobs.resume_job"
ENABLE_JOBS = "cronjobs.enable_job"
DISABLE_JOBS = "cronjobs.disable_job"
CANCEL_EXECUTIONS = "cronjobs.cancel_jobexecution"
RETRY_EXECUTIONS = "cronjobs.retry_jobexecution"
DRAIN_NODES = "cronjobs.drain_node"
VIEW_ALERTS = "cronjobs.view_alert"

# Each is about columns that whoever may edit a job may set as well.
SWITCHES = (PAUSE_JOBS, RESUME_JOBS, ENABLE_JOBS, DISABLE_JOBS)
_SWITCH_COLUMNS = {"enabled", "paused", "paused_until"}

# What a key of the API may be limited to, as the permissions' names within this app; a key gives none of them.
KEY_ACTIONS = tuple(
    each.partition(".")[2]
    for each in (
        VIEW_JOBS,
        ADD_JOBS,
        CHANGE_JOBS,
        DELETE_JOBS,
        RUN_JOBS,
        PAUSE_JOBS,
        RESUME_JOBS,
        ENABLE_JOBS,
        DISABLE_JOBS,
        VIEW_EXECUTIONS,
        CANCEL_EXECUTIONS,
        RETRY_EXECUTIONS,
        VIEW_QUEUES,
        CHANGE_QUEUES,
        DRAIN_NODES,
        VIEW_ALERTS,
    )
)


def key_permission(action: str) -> str:
    """Return the permission that a user needs beside a key with that action."""
    return f"cronjobs.{action}"


def enough_for(permission: str) -> tuple[str, ...]:
    """Return the permissions of which any one is enough where `permission` is asked for."""
    return (permission, CHANGE_JOBS) if permission in SWITCHES else (permission,)


def may(user: Any, permission: str) -> bool:
    """Return whether a user may do what `permission` stands for."""
    return any(user.has_perm(each) for each in enough_for(permission))


def needed_to_set(values: Mapping[str, Any]) -> frozenset[str]:
    """Return the permissions, all of them, that it takes to set these columns of a job."""
    if not values.keys() <= _SWITCH_COLUMNS:
        return frozenset({CHANGE_JOBS})
    needed = set()
    if "enabled" in values:
        needed.add(ENABLE_JOBS if values["enabled"] else DISABLE_JOBS)
    if "paused" in values or "paused_until" in values:
        needed.add(PAUSE_JOBS if values.get("paused", True) else RESUME_JOBS)
    return frozenset(needed)


# Beside Django's own add/change/delete/view.
JOB_PERMISSIONS = (
    ("run_job", "Can run a job now"),
    ("pause_job", "Can pause a job"),
    ("resume_job", "Can resume a job"),
    ("enable_job", "Can enable a job"),
    ("disable_job", "Can disable a job"),
)
EXECUTION_PERMISSIONS = (
    ("cancel_jobexecution", "Can cancel an execution"),
    ("retry_jobexecution", "Can run an execution again"),
)
NODE_PERMISSIONS = (("drain_node", "Can drain a node"),)
