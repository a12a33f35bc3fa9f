"""Who may do what: the one list of permissions that admin, API and commands ask."""

from __future__ import annotations

# Beside Django's own add/change/delete/view.
VIEW_JOBS = "cronjobs.view_job"
VIEW_EXECUTIONS = "cronjobs.view_jobexecution"
RUN_JOBS = "cronjobs.run_job"
CANCEL_EXECUTIONS = "cronjobs.cancel_jobexecution"
RETRY_EXECUTIONS = "cronjobs.retry_jobexecution"

JOB_PERMISSIONS = (("run_job", "Can run a job now"),)
EXECUTION_PERMISSIONS = (
    ("cancel_jobexecution", "Can cancel an execution"),
    ("retry_jobexecution", "Can run an execution again"),
)
