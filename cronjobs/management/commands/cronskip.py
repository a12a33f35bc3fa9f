"""`manage.py cronskip`: leave out a job's next occurrence, and that one only."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from cronjobs.management.arguments import add_examples, as_json, who
from cronjobs.management.jobs import refusals_explained
from cronjobs.management.output import database_errors_explained
from cronjobs.management.shell import ShellCommand
from cronjobs.models import Job, JobExecution
from cronjobs.scheduler.requests import in_utc, skip_next
from cronjobs.storable import rfc3339

EXAMPLES = """\
examples:
  manage.py cronskip send-digest
  manage.py cronskip send-digest --json

The next occurrence is recorded as skipped at once, with your name; cronstatus shows the one
after it from then on, and so does cronpreview --job. Calling it again skips that one too. To
stop a job for longer, use cronpause. What is running or waiting now goes on.

exit codes:
  0  recorded
  1  the job is broken, or the SQL database cannot be used
  2  there is no such job, or no occurrence of it comes: on demand, paused, disabled or over
"""


class Command(ShellCommand):
    """A shell around one request."""

    help = "Skip the next occurrence of a job."

    def add_arguments(self, parser: CommandParser) -> None:
        add_examples(parser, EXAMPLES)
        parser.add_argument("name", help="Name of the job, as cronstatus shows it.")
        parser.add_argument("--json", action="store_true", help="Print what was recorded as JSON.")

    def handle(self, *, name: str, json: bool, **_: Any) -> None:
        with database_errors_explained(), refusals_explained(name):
            execution = skip_next(Job.objects.named(name), by=who())
        self.stdout.write(as_json(_document(execution)) if json else _sentence(execution))


def _sentence(execution: JobExecution) -> str:
    return f"{execution}: the occurrence at {in_utc(execution.scheduled_for)} is skipped."


def _document(execution: JobExecution) -> dict[str, Any]:
    return {
        "executionId": execution.pk,
        "jobName": execution.job_name,
        "status": str(execution.status),
        "scheduledFor": rfc3339(execution.scheduled_for),
        "reason": execution.reason,
    }
