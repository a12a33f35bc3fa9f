"""Who may do what: the one list of permissions that admin, API and commands ask."""

from __future__ import annotations

VIEW_JOBS = "cronjobs.view_job"
ADD_JOBS = "cronjobs.add_job"
CHANGE_JOBS = "cronjobs.change_job"
DELETE_JOBS = "cronjobs.delete_job"
VIEW_QUEUES = "cronjobs.view_queue"
CHANGE_QUEUES = "cronjobs.change_queue"
VIEW_EXECUTIONS = "cronjobs.view_jobexecution"
RUN_JOBS = "cronjobs.run_job"
CANCEL_EXECUTIONS = "cronjobs.cancel_jobexecution"
RETRY_EXECUTIONS = "cronjobs.retry_jobexecution"
DRAIN_NODES = "cronjobs.drain_node"

# What a key of the API may be limited to, as the permissions' names within this app; a key gives none of them.
KEY_ACTIONS = tuple(
    each.partition(".")[2]
    for each in (
        VIEW_JOBS,
        ADD_JOBS,
        CHANGE_JOBS,
        DELETE_JOBS,
        RUN_JOBS,
        VIEW_EXECUTIONS,
        CANCEL_EXECUTIONS,
        RETRY_EXECUTIONS,
        VIEW_QUEUES,
        CHANGE_QUEUES,
        DRAIN_NODES,
    )
)


def key_permission(action: str) -> str:
    """Return the permission that a user needs beside a key with that action."""
    return f"cronjobs.{action}"


# Beside Django's own add/change/delete/view.
JOB_PERMISSIONS = (("run_job", "Can run a job now"),)
EXECUTION_PERMISSIONS = (
    ("cancel_jobexecution", "Can cancel an execution"),
    ("retry_jobexecution", "Can run an execution again"),
)
NODE_PERMISSIONS = (("drain_node", "Can drain a node"),)
