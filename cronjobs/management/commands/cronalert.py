"""`manage.py cronalert`: what is wrong now, and whether people can be told."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from django.core.management.base import CommandError, CommandParser
from django.db.models import OuterRef, Subquery
from django.utils import timezone

from cronjobs.database import engine_alias, read_clock
from cronjobs.management.arguments import add_examples, as_json, expected_errors, quiet_log
from cronjobs.management.output import Painted, database_errors_explained, from_now, in_seconds, table, terminal_width
from cronjobs.management.shell import ShellCommand
from cronjobs.models import Alert, AlertDelivery, AlertState
from cronjobs.models.alerts import DeliveryStatus
from cronjobs.notifications.configured import notifier_names
from cronjobs.notifications.messages import Message
from cronjobs.notifications.sender import send_through
from cronjobs.parsing import did_you_mean
from cronjobs.storable import rfc3339

EXAMPLES = """\
examples:
  manage.py cronalert list                        what is wrong now, and what could not be sent yet
  manage.py cronalert test                        send a test through each notifier of CRONJOBS['NOTIFIERS']
  manage.py cronalert test --to ops --to chat     through these only
  manage.py cronalert test --json

A test is sent once, now, in this process, and is not tried again. It is not recorded.

exit codes:
  0  shown; or each test was taken
  1  at least one was not, or there is no notifier; or the SQL database cannot be used
  2  the arguments are wrong, or there is no such notifier; then nothing was sent
"""


class _Tried(NamedTuple):
    """What a notifier did with its test; `error` is empty if it took it."""

    name: str
    error: str
    milliseconds: int


class Command(ShellCommand):
    """A shell around the notifiers, and around the rows of what fires."""

    help = "Show what is wrong now; send a test message through the notifiers."
    # What is wrong with a notifier is among what this says.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        add_examples(parser, EXAMPLES)
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="list | test")
        shown = verbs.add_parser("list", help="Show what is wrong now, and what could not be sent yet.")
        shown.add_argument("--json", action="store_true", help="Print it as JSON.")
        test = verbs.add_parser("test", help="Send a test message through each notifier.")
        test.add_argument(
            "--to", action="append", default=[], metavar="NAME", help="Only through this one; may be repeated."
        )
        test.add_argument("--json", action="store_true", help="Print the results as JSON.")

    def handle(self, *, verb: str, json: bool, **options: Any) -> None:
        if verb == "list":
            self._list(json=json)
        else:
            self._test(options["to"], json=json)

    def _list(self, *, json: bool) -> None:
        with database_errors_explained():
            states, now = _firing(), read_clock(engine_alias(AlertState))
            told = _told(states)
            unsent = AlertDelivery.objects.filter(status=DeliveryStatus.PENDING, attempts__gt=0).count()
        if json:
            self.stdout.write(as_json({"alerts": [_document(each, told) for each in states], "unsent": unsent}))
            return
        rows = [
            (
                Painted(each.kind, self.style.ERROR),
                each.subject,
                "" if each.since is None else from_now(each.since, now),
                str(each.execution_id or ""),
                "" if each.beginning is None else ", ".join(told[each.pk]) or "nobody",
            )
            for each in states
        ]
        if rows:
            first, *others = table(("WHAT", "ABOUT", "SINCE", "EXECUTION", "TOLD"), rows, width=terminal_width())
            self.stdout.write(self.style.MIGRATE_HEADING(first))
            for line in others:
                self.stdout.write(line)
            if not all(told[each.pk] for each in states if each.beginning is not None):
                text = "Nobody has been told of some: there was no notifier for it when it began. Nor is anybody told of its end."
                self.stdout.write(self.style.WARNING(text))
        else:
            self.stdout.write("Nothing is wrong that alerts know of.")
        if unsent:
            self.stdout.write(
                self.style.WARNING(f"Messages that could not be sent yet, and are tried again: {unsent}.")
            )

    def _test(self, to: list[str], *, json: bool) -> None:
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


def _firing() -> list[Any]:
    """Return what is wrong now, each with the id of the alert that told of its `beginning`."""
    alerts = Alert.objects.filter(kind=OuterRef("kind"), subject=OuterRef("subject"), is_resolution=False)
    beginning = Subquery(alerts.order_by("-pk").values("pk")[:1])
    return list(AlertState.objects.firing().annotate(beginning=beginning).order_by("since", "pk"))


def _told(states: list[Any]) -> dict[int, list[str]]:
    """Return by the key of each state the names of the notifiers that were to tell of its beginning."""
    deliveries = AlertDelivery.objects.filter(alert_id__in=[each.beginning for each in states])
    names: dict[int, list[str]] = {}
    for alert_id, name in deliveries.order_by("notifier").values_list("alert_id", "notifier"):
        names.setdefault(alert_id, []).append(name)
    return {each.pk: names.get(each.beginning, []) for each in states}


def _document(state: AlertState, told: dict[int, list[str]]) -> dict[str, Any]:
    return {
        "kind": state.kind,
        "subject": state.subject,
        "since": None if state.since is None else rfc3339(state.since),
        "executionId": state.execution_id,
        "told": told[state.pk],
    }


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
