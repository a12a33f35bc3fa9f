"""`manage.py cleanup_legacy`: the clean-up of conversations, by hand."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser

from cronjobs.exceptions import JobNotFound
from cronjobs.executors.inline import run_inline
from cronjobs.jobs.cleanup import NAME, preview_legacy_cleanup
from cronjobs.management.arguments import (
    add_examples,
    as_json,
    expected_errors,
    instant,
    minutes,
    one_line,
    quiet_log,
    require_mongodb,
    who,
)
from cronjobs.management.shell import ShellCommand
from cronjobs.models import Trigger
from cronjobs.states import ExecutionStatus
from cronjobs.storable import rfc3339

# A person waits for this; the setting may allow the scheduled job more.
PATIENCE = timedelta(seconds=3)

EXAMPLES = """\
examples:
  manage.py cleanup_legacy --minutes 30 --dry-run   say what would happen, write nothing anywhere
  manage.py cleanup_legacy --minutes 30             do it now; the admin shows it as a manual execution
  manage.py cleanup_legacy --json                   with the threshold of the settings, result as JSON

exit codes:
  0  done
  1  not done: MongoDB or the SQL database cannot be used
  2  the arguments are wrong
"""


class Command(ShellCommand):
    """A shell around one call."""

    help = "Deactivate the active conversations that were created more than a number of minutes ago."

    def add_arguments(self, parser: CommandParser) -> None:
        add_examples(parser, EXAMPLES)
        parser.add_argument(
            "--minutes",
            type=minutes,
            help="Age from which an active conversation is stale. Default: the setting LEGACY_MINUTES.",
        )
        parser.add_argument("--dry-run", action="store_true", help="Only count; nothing is written, not even to SQL.")
        parser.add_argument(
            "--now",
            type=instant,
            metavar="TIME",
            help="ISO 8601 with a zone; stands in for the present time, and is what updatedAt becomes.",
        )
        parser.add_argument("--json", action="store_true", help="Print the result as JSON.")

    def handle(self, *, minutes: int | None, dry_run: bool, now: datetime | None, json: bool, **_: Any) -> None:
        require_mongodb()
        with expected_errors():
            from cronjobs.documents import patience_limited

            with patience_limited(PATIENCE):
                result = preview_legacy_cleanup(minutes, now) if dry_run else _clean_up(minutes, now)
        self.stdout.write(as_json(result) if json else _sentence(result))


def _clean_up(minutes: int | None, now: datetime | None) -> dict[str, Any]:
    given = {"minutes": minutes, "now": now and rfc3339(now)}
    params = {name: value for name, value in given.items() if value is not None}
    try:
        with quiet_log():
            execution = run_inline(NAME, params=params, trigger=Trigger.MANUAL, requested_by=who(), max_attempts=1)
    except JobNotFound as error:
        raise CommandError(f"{error} Run manage.py migrate: it makes the jobs.") from error
    if execution.status != ExecutionStatus.SUCCEEDED:
        raise CommandError(one_line(execution.error_message) or f"The clean-up has {execution.status}.")
    return {**(execution.result or {}), "executionId": execution.pk}


def _sentence(result: dict[str, Any]) -> str:
    found = f"active and created before {result['cutoff']}"
    if result.get("dryRun"):
        return f"{result['matchedCount']} conversations would be deactivated: {found}. Nothing was written."
    return f"{result['modifiedCount']} conversations deactivated: {found}. Execution {result['executionId']}."
