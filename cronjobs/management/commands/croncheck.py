"""`manage.py croncheck`: what is wrong with this installation, before or while it runs."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from cronjobs.health import Probe, Status, check_all, check_broker, check_notifiers
from cronjobs.management.arguments import add_examples, as_json, quiet_log
from cronjobs.management.shell import ShellCommand
from cronjobs.storable import rfc3339

EXAMPLES = """\
examples:
  manage.py croncheck                  before the first start: is everything there?
  manage.py croncheck --require-node   while it should run: is a node alive, too?
  manage.py croncheck --strict         in a build or a deployment: warnings count as problems
  manage.py croncheck --json

It looks at the SQL database, its migrations and its clock, at MongoDB and its indexes, at time
zone data, nodes, queue, job definitions and jobs, and at Celery: workers, and whether the broker can
be reached. A missing MongoDB index is a warning, with the command that makes it. That no node is
alive is a notice, since this may run before the first start, unless --require-node or --strict is
given. That MongoDB or Celery is not configured, that there is no notifier, or everything paused by the
settings, is always a notice.

exit codes:
  0  no problem
  1  at least one problem
  2  the arguments are wrong
"""

_NODES = "nodes"


class Command(ShellCommand):
    """A shell around the probes."""

    help = "Check this installation and say in a sentence what is wrong."
    # They are among what is checked, and shown with the rest.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        add_examples(parser, EXAMPLES)
        parser.add_argument("--strict", action="store_true", help="Warnings, and that no node is alive, are problems.")
        parser.add_argument("--require-node", action="store_true", help="That no node is alive is a problem.")
        parser.add_argument("--json", action="store_true", help="Print the findings as JSON.")

    def handle(self, *, strict: bool, require_node: bool, json: bool, **_: Any) -> None:
        with quiet_log():
            # The broker is asked by this command only: one that is away takes its time.
            probes = [*check_all(), check_notifiers(), check_broker()]
        lenient = set() if strict or require_node else {_NODES}
        problems = [each for each in probes if _is_problem(each, lenient, strict=strict)]
        if json:
            self.stdout.write(as_json(_report(probes, problems)))
        else:
            for each in probes:
                self._show(each, is_problem=each in problems)
        if problems:
            sentences = sum(len(each.problems) for each in problems)
            raise CommandError(f"{sentences} problem{'s' * (sentences != 1)} in {', '.join(p.name for p in problems)}.")

    def _show(self, probe: Probe, *, is_problem: bool) -> None:
        for sentence in probe.problems or (probe.message,):
            label = self._label(probe, is_problem=is_problem)
            self.stdout.write(f"{label} {probe.name:<13} {sentence}")

    def _label(self, probe: Probe, *, is_problem: bool) -> str:
        if is_problem:
            return self.style.ERROR("PROBLEM")
        if probe.status == Status.OK:
            return self.style.SUCCESS("ok     ")
        # A failure that is no problem here is one that this may be too early for.
        return self.style.WARNING("warning") if probe.status == Status.WARNING else self.style.NOTICE("notice ")


def _is_problem(probe: Probe, lenient: set[str], *, strict: bool) -> bool:
    if probe.status == Status.WARNING:
        return strict
    return probe.status == Status.FAILED and probe.name not in lenient


def _report(probes: list[Probe], problems: list[Probe]) -> dict[str, Any]:
    others = [each for each in probes if each not in problems]
    warnings = [each for each in others if each.status == Status.WARNING]
    notices = [each for each in others if each.status not in (Status.OK, Status.WARNING)]
    return {
        "success": not problems,
        "problems": [sentence for each in problems for sentence in each.problems],
        "warnings": [sentence for each in warnings for sentence in each.problems],
        "notices": [each.message for each in notices],
        "checks": {each.name: each.as_json() for each in probes},
        "timestamp": rfc3339(timezone.now()),
    }
