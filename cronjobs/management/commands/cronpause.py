"""`manage.py cronpause`: let a job be due no more, for a while or until somebody resumes it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.management.base import CommandParser

from cronjobs.management.arguments import add_examples, as_json, instant
from cronjobs.management.jobs import refusals_explained
from cronjobs.management.output import database_errors_explained
from cronjobs.management.pausing import pause_document, switched
from cronjobs.management.shell import ShellCommand
from cronjobs.models import Job
from cronjobs.scheduler.requests import in_utc

EXAMPLES = """\
examples:
  manage.py cronpause send-digest
  manage.py cronpause send-digest --until 2026-03-01T06:00:00Z

Nodes follow within two seconds. What is due while the job is paused is not made up for later;
what is running or waiting now goes on: croncancel calls it off. It can still be run by hand.
To leave out the next occurrence only there is cronskip; for a whole queue, or everything,
cronqueue. Calling it again sets another end. Who paused what is in the log cronjobs.security.

exit codes:
  0  it is paused (also if it was so already)
  1  the SQL database cannot be used
  2  the arguments are wrong: no such job, or a time that has passed
"""


class Command(ShellCommand):
    """A shell around one row."""

    help = "Pause a job."

    def add_arguments(self, parser: CommandParser) -> None:
        add_examples(parser, EXAMPLES)
        parser.add_argument("name", help="Name of the job, as cronstatus shows it.")
        parser.add_argument(
            "--until", type=instant, metavar="TIME", help="When it resumes by itself, such as 2026-03-01T06:00:00Z."
        )
        parser.add_argument("--json", action="store_true", help="Print how the job stands as JSON.")

    def handle(self, *, name: str, until: datetime | None, json: bool, **_: Any) -> None:
        with database_errors_explained(), refusals_explained(name):
            job, is_new = switched(name, lambda rows: rows.pause(until=until), command="cronpause")
        self.stdout.write(as_json(pause_document(job)) if json else _sentence(job, is_new=is_new))


def _sentence(job: Job, *, is_new: bool) -> str:
    end = "until it is resumed" if job.paused_until is None else f"until {in_utc(job.paused_until)}"
    return f"{job} is paused {end}." if is_new else f"{job} was paused {end} already."
