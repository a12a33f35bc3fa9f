"""`manage.py conversation_stats`: how many conversations there are."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.management.base import CommandParser

from cronjobs.jobs.cleanup import get_legacy_conversation_stats
from cronjobs.management.arguments import add_examples, as_json, expected_errors, instant, minutes, require_mongodb
from cronjobs.management.shell import ShellCommand

EXAMPLES = """\
examples:
  manage.py conversation_stats                  old: older than the setting LEGACY_MINUTES
  manage.py conversation_stats --minutes 1440   old: older than a day
  manage.py conversation_stats --json

A conversation is active or inactive if its isActive is true or false; the total also counts
those where it is missing or something else.

exit codes:
  0  counted
  1  MongoDB cannot be used
  2  the arguments are wrong
"""


class Command(ShellCommand):
    """A shell around one call."""

    help = "Count the conversations in MongoDB; nothing is written."

    def add_arguments(self, parser: CommandParser) -> None:
        add_examples(parser, EXAMPLES)
        parser.add_argument(
            "--minutes", type=minutes, help="Age from which a conversation is old. Default: the setting LEGACY_MINUTES."
        )
        parser.add_argument(
            "--now", type=instant, metavar="TIME", help="ISO 8601 with a zone; stands in for the present time."
        )
        parser.add_argument("--json", action="store_true", help="Print the counts as JSON.")

    def handle(self, *, minutes: int | None, now: datetime | None, json: bool, **_: Any) -> None:
        require_mongodb()
        with expected_errors():
            counts = get_legacy_conversation_stats(minutes, now)
        self.stdout.write(as_json(counts) if json else "\n".join(f"{name:<12} {each}" for name, each in counts.items()))
