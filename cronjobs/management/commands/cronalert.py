"""`manage.py cronalert`: try the notifiers."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from cronjobs.management.arguments import add_examples, as_json, expected_errors, quiet_log
from cronjobs.management.output import in_seconds
from cronjobs.notifications.configured import notifier_names
from cronjobs.notifications.messages import Message
from cronjobs.notifications.sender import send_through
from cronjobs.parsing import did_you_mean
from cronjobs.storable import rfc3339

EXAMPLES = """\
examples:
  manage.py cronalert test                        send a test through each notifier of CRONJOBS['NOTIFIERS']
  manage.py cronalert test --to ops --to chat     through these only
  manage.py cronalert test --json

Each is sent once, now, in this process, and is not tried again. What was sent is not recorded.

exit codes:
  0  each was taken
  1  at least one was not, or there is no notifier
  2  the arguments are wrong, or there is no such notifier; then nothing was sent
"""


class _Tried(NamedTuple):
    """What a notifier did with its test; `error` is empty if it took it."""

    name: str
    error: str
    milliseconds: int


class Command(BaseCommand):
    """A shell around the notifiers."""

    help = "Send a test message through the notifiers."
    # What is wrong with a notifier is among what this says.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        add_examples(parser, EXAMPLES)
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="test")
        test = verbs.add_parser("test", help="Send a test message through each notifier.")
        test.add_argument(
            "--to", action="append", default=[], metavar="NAME", help="Only through this one; may be repeated."
        )
        test.add_argument("--json", action="store_true", help="Print the results as JSON.")

    def handle(self, *, to: list[str], json: bool, **_: Any) -> None:
        with expected_errors():
            names = _chosen(to)
        tried: list[_Tried] = []
        with quiet_log():
            for name in names:
                tried.append(_try(name))
                if not json:
                    self._show(tried[-1])
        failed = [each.name for each in tried if each.error]
        if json:
            self.stdout.write(as_json(_report(tried)))
        if failed:
            raise CommandError(f"{len(failed)} of {len(tried)} failed: {', '.join(failed)}.")

    def _show(self, tried: _Tried) -> None:
        if tried.error:
            self.stdout.write(f"{self.style.ERROR('FAILED')} {tried.name}: {tried.error}")
        else:
            self.stdout.write(f"{self.style.SUCCESS('sent  ')} {tried.name}, in {in_seconds(tried.milliseconds)}")


def _chosen(names: list[str]) -> list[str]:
    known = notifier_names()
    for name in names:
        if name not in known:
            advice = did_you_mean(name, known) if known else " There is none at all."
            raise CommandError(f"CRONJOBS['NOTIFIERS'] has no notifier {name!r}.{advice}", returncode=2)
    if not known:
        raise CommandError("No notifier is configured: see NOTIFIERS in docs/alerts.md.")
    return [name for name in known if name in names] if names else known


def _try(name: str) -> _Tried:
    started = time.monotonic()
    failure = send_through(name, Message.test(notifier=name, now=timezone.now()))
    return _Tried(name, "" if failure is None else str(failure), int((time.monotonic() - started) * 1000))


def _report(tried: list[_Tried]) -> dict[str, Any]:
    return {
        "success": not any(each.error for each in tried),
        "notifiers": [
            {
                "name": each.name,
                "sent": not each.error,
                "error": each.error or None,
                "milliseconds": each.milliseconds,
            }
            for each in tried
        ],
        "timestamp": rfc3339(timezone.now()),
    }
