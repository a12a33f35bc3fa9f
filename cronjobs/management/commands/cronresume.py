"""`manage.py cronresume`: let a job that was paused be due again."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from cronjobs.management.arguments import add_examples, as_json
from cronjobs.management.jobs import refusals_explained
from cronjobs.management.output import database_errors_explained
from cronjobs.management.pausing import pause_document, switched
from cronjobs.management.shell import ShellCommand
from cronjobs.models import Job
from cronjobs.models.job import JobQuerySet
from cronjobs.models.pausing import why_everything_is_paused

EXAMPLES = """\
examples:
  manage.py cronresume send-digest

It is due again from now on: what was due while it was paused is not made up for, unless you
use cronbackfill. A queue, or everything, is resumed by cronqueue. Who resumed what is in the log
cronjobs.security.

exit codes:
  0  it is not paused (also if it was not before)
  1  the SQL database cannot be used
  2  there is no such job
"""


class Command(ShellCommand):
    """A shell around one row."""

    help = "Resume a job that was paused."

    def add_arguments(self, parser: CommandParser) -> None:
        add_examples(parser, EXAMPLES)
        parser.add_argument("name", help="Name of the job, as cronstatus shows it.")
        parser.add_argument("--json", action="store_true", help="Print how the job stands as JSON.")

    def handle(self, *, name: str, json: bool, **_: Any) -> None:
        with database_errors_explained(), refusals_explained(name):
            job, is_new = switched(name, JobQuerySet.resume, command="cronresume")
            everything = why_everything_is_paused()
        if json:
            self.stdout.write(as_json(pause_document(job)))
            return
        self.stdout.write(_sentence(job, is_new=is_new))
        if not job.enabled:
            self.warn(f"{job} is disabled: it does not run until it is enabled.")
        if everything:
            self.warn(everything)


def _sentence(job: Job, *, is_new: bool) -> str:
    return f"{job} is resumed, from now on." if is_new else f"{job} was not paused."
