"""`manage.py runjob`: perform a job here and now, or ask a node to."""

from __future__ import annotations

import json as jsonlib
from argparse import ArgumentTypeError
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError, CommandParser

from cronjobs.executors.inline import run_inline
from cronjobs.journal import tell_of_execution
from cronjobs.management.actors import shell
from cronjobs.management.arguments import add_examples, as_json, instant, quiet_log, who
from cronjobs.management.colours import status_paint
from cronjobs.management.echo import job_log_echoed
from cronjobs.management.jobs import performer, refusals_explained, warn_if_it_waits
from cronjobs.management.output import database_errors_explained, in_seconds
from cronjobs.management.shell import ShellCommand
from cronjobs.models import Job, JobExecution, Trigger
from cronjobs.scheduler.requests import in_utc, run_once_at
from cronjobs.states import ExecutionStatus
from cronjobs.storable import rfc3339

EXAMPLES = """\
examples:
  manage.py runjob health-check
  manage.py runjob send-digest --param days=2 --param 'to=["a@example.com"]'
  manage.py runjob send-digest --param days=2 --queue    a node, or a Celery worker, performs it
  manage.py runjob send-digest --at 2026-03-01T09:00:00Z  then, and beside its schedule
  manage.py runjob health-check --json | jq .result

A value is JSON where it can be read as JSON, else text: 2 is a number, "2" and two are texts.
The job runs in this process, whatever else of it runs, as one attempt: a failure is not
retried. Its log goes to standard error (nothing with --verbosity 0; debugging lines and the
job's traceback with 2), its result to standard output, and both to the history. With --queue
or --at whoever performs the job does so, by the job's own rules.

exit codes:
  0  succeeded, or was skipped by the job itself; with --queue or --at: recorded
  1  failed, or could not be performed
  2  the arguments are wrong: no such job, no such parameter, a time that is not in the future
"""

# What a job does that raises Skip: it has looked, and there was nothing to do.
_GOOD = (ExecutionStatus.SUCCEEDED, ExecutionStatus.SKIPPED)


class Command(ShellCommand):
    """A shell around the inline executor."""

    help = "Perform a job in this process and show its log and its result."

    def add_arguments(self, parser: CommandParser) -> None:
        add_examples(parser, EXAMPLES)
        parser.add_argument("name", help="Name of the job, as cronstatus shows it.")
        parser.add_argument(
            "--param",
            action="append",
            type=parameter,
            default=[],
            metavar="NAME=VALUE",
            dest="given",
            help="Repeatable.",
        )
        parser.add_argument(
            "--queue", action="store_true", help="Only record the request; a node, or a Celery worker, performs it."
        )
        parser.add_argument("--at", type=instant, metavar="ISO", help="Only record it, for this time to come.")
        parser.add_argument("--json", action="store_true", help="Print the execution as JSON.")

    def handle(
        self,
        *,
        name: str,
        given: list[tuple[str, Any]],
        queue: bool,
        at: datetime | None,
        json: bool,
        verbosity: int,
        **_: Any,
    ) -> None:
        params, is_recorded = _params(given), queue or at is not None
        with database_errors_explained():
            with refusals_explained(name):
                execution = self._record(name, params, at) if is_recorded else self._perform(name, params, verbosity)
                tell_of_execution(shell("runjob"), Job(name=execution.job_name), execution)
            if json:
                self.stdout.write(as_json(_document(execution, at)))
            else:
                # What it returned stays as it is.
                sentence, newline, result = _sentence(execution, at).partition("\n")
                paint = status_paint(self.style, execution.status)
                self.stdout.write(f"{paint(sentence)}{newline}{result}")
            if is_recorded:
                warn_if_it_waits(self)
            elif execution.status not in _GOOD:
                raise CommandError(_failure(execution))

    def _perform(self, name: str, params: dict[str, Any], verbosity: int) -> JobExecution:
        with quiet_log(), job_log_echoed(self.stderr, verbosity=verbosity):
            execution = run_inline(name, params=params, trigger=Trigger.MANUAL, requested_by=who(), max_attempts=1)
        if verbosity > 1 and execution.traceback:
            self.stderr.write(execution.traceback)
        return execution

    def _record(self, name: str, params: dict[str, Any], at: datetime | None) -> JobExecution:
        if at is not None:
            return run_once_at(Job.objects.named(name), at, by=who(), params=params)
        return JobExecution.objects.request(name, params=params, trigger=Trigger.MANUAL, requested_by=who())


def parameter(text: str) -> tuple[str, Any]:
    """Return the name and the value that an argument says."""
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise ArgumentTypeError(f"{text!r} is not of the form NAME=VALUE, such as days=2.")
    try:
        return name, jsonlib.loads(value, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return name, value


def _refuse(constant: str) -> Any:
    # NaN and the infinities are Python's JSON, nobody else's.
    raise ValueError(constant)


def _params(given: list[tuple[str, Any]]) -> dict[str, Any]:
    params = dict(given)
    if len(params) < len(given):
        names = [name for name, _ in given]
        twice = next(name for name in names if names.count(name) > 1)
        raise CommandError(f"Parameter {twice!r} is given twice.", returncode=2)
    return params


def _document(execution: JobExecution, at: datetime | None) -> dict[str, Any]:
    return {
        "executionId": execution.pk,
        "jobName": execution.job_name,
        "status": str(execution.status),
        "success": execution.status == ExecutionStatus.SUCCEEDED,
        "durationMs": execution.duration_ms,
        "result": execution.result,
        "error": execution.error_message or None,
        "errorType": execution.error_type or None,
        "reason": execution.reason or None,
        **({} if at is None else {"runAfter": rfc3339(at)}),
    }


def _sentence(execution: JobExecution, at: datetime | None) -> str:
    if at is not None:
        return f"{execution} is queued for {in_utc(at)}; {performer(execution)} performs it then."
    if execution.status == ExecutionStatus.QUEUED:
        return f"{execution} is queued; {performer(execution)} performs it."
    took = "" if execution.duration_ms is None else f" in {in_seconds(execution.duration_ms)}"
    reason = f": {execution.reason}" if execution.reason else "."
    result = "" if execution.result is None else f"\n{as_json(execution.result)}"
    return f"{execution} {execution.status}{took}{reason}{result}"


def _failure(execution: JobExecution) -> str:
    error = " ".join(execution.error_message.split()) or execution.reason or execution.error_type
    return f"{execution} {execution.status}{': ' * bool(error)}{error}"
