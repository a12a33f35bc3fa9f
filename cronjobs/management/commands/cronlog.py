"""`manage.py cronlog`: what became of an execution, and what it has said, also while it runs."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Iterable
from time import sleep
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db.models import QuerySet

from cronjobs.database import engine_alias, read_clock
from cronjobs.management.arguments import add_examples, as_json
from cronjobs.management.colours import status_paint
from cronjobs.management.executions import number
from cronjobs.management.jobs import refusals_explained
from cronjobs.management.outcomes import (
    attempt_sentence,
    failure_texts,
    for_terminal,
    outcome_document,
    outcome_sentence,
    reasons,
)
from cronjobs.management.output import database_errors_explained
from cronjobs.management.shell import ShellCommand
from cronjobs.manager.records import attempt_document, line_document
from cronjobs.models import ExecutionAttempt, Job, JobExecution
from cronjobs.models.log_lines import Place, all_lines, line_text, place_of
from cronjobs.registry import is_valid_name
from cronjobs.states import ExecutionStatus

EXAMPLES = """\
examples:
  manage.py cronlog 4711
  manage.py cronlog send-digest          the newest execution of that job
  manage.py cronlog 4711 --attempt 1     what went wrong in the first attempt
  manage.py cronlog 4711 --follow        until it has ended; Ctrl-C stops only the looking
  manage.py cronlog 4711 --json

The log comes first, the error and its traceback last. cronstatus shows the numbers of what runs
and of how each job ended last. Times are in UTC.

exit codes:
  0    shown, whatever became of the execution
  1    the SQL database cannot be used
  2    the arguments are wrong: no such execution, job or attempt
  130  interrupted while following
"""

_PAUSE_SECONDS = 1.0
_NOT_READ = ("params", "result")


class Command(ShellCommand):
    """A shell around rows that others write."""

    help = "Show what became of an execution: its outcome, log, error and traceback."

    def add_arguments(self, parser: CommandParser) -> None:
        add_examples(parser, EXAMPLES)
        parser.add_argument(
            "which",
            nargs="?",
            default="",
            metavar="ID|NAME",
            help="Number of an execution, or name of a job: its newest.",
        )
        parser.add_argument("--attempt", type=_attempt_number, metavar="N", help="Only this attempt; the first is 1.")
        form = parser.add_mutually_exclusive_group()
        form.add_argument("--follow", action="store_true", help="Go on showing what it logs until it has ended.")
        form.add_argument("--json", action="store_true", help="Print everything as JSON.")

    def handle(self, *, which: str, attempt: int | None, follow: bool, json: bool, **_: Any) -> None:
        with database_errors_explained():
            execution = _find(_number(which))
            if attempt is not None and attempt > execution.attempt:
                raise CommandError(f"{execution} has had no attempt {attempt} up to now.", returncode=2)
            if json:
                self.stdout.write(as_json(_document(execution, attempt)))
            else:
                self._show(execution, attempt, follow=follow)

    def _show(self, execution: JobExecution, attempt: int | None, *, follow: bool) -> None:
        first = outcome_sentence(execution, read_clock(engine_alias(JobExecution)))
        self.stdout.write(status_paint(self.style, execution.status)(first))
        place = self._write_lines(execution, attempt, Place())
        if follow:
            try:
                execution = self._follow(execution, attempt, place)
            except KeyboardInterrupt as error:
                raise CommandError("Interrupted. The execution goes on.", returncode=130) from error
        now = read_clock(engine_alias(JobExecution))
        if follow and (last := outcome_sentence(execution, now)) != first:
            self.stdout.write(status_paint(self.style, execution.status)(last))
        self._write_texts(reasons(execution, now))
        self._write_failures(execution, attempt)

    def _follow(self, execution: JobExecution, attempt: int | None, place: Place) -> JobExecution:
        """Write what is logged until there is no more to come; return the execution as it is then."""
        while not _is_over(execution, attempt):
            sleep(_PAUSE_SECONDS)
            # In this order: one that had ended before its lines were read has no others.
            execution = _find(execution.pk)
            place = self._write_lines(execution, attempt, place)
        return execution

    def _write_lines(self, execution: JobExecution, attempt: int | None, after: Place) -> Place:
        for line in all_lines(execution.pk, after=after, attempt=attempt):
            if line.attempt != after.attempt and line.attempt > 1 and attempt is None:
                self.stdout.write(self.style.MIGRATE_LABEL(f"Attempt {line.attempt}:"))
            self._write_texts([line_text(line)])
            after = place_of(line)
        return after

    def _write_failures(self, execution: JobExecution, attempt: int | None) -> None:
        failed = list(_attempts(execution, attempt))
        if attempt is None:
            earlier = [each for each in failed if each.attempt < execution.attempt]
            self._write_texts(attempt_sentence(each) for each in earlier)
            self._write_texts(failure_texts(execution))
        for each in failed if attempt is not None else ():
            self._write_texts([attempt_sentence(each), *failure_texts(each)])

    def _write_texts(self, texts: Iterable[str]) -> None:
        for text in texts:
            self.stdout.write(for_terminal(text))


def _attempt_number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) >= 1):
        raise ArgumentTypeError(f"{text!r} is not the number of an attempt; the first is 1.")
    return int(text)


def _number(which: str) -> int:
    """Return the number of the execution that the argument names, itself or by its job."""
    if not which:
        newest = _newest(JobExecution.objects.all())
        what = "there is none yet" if newest is None else f"the newest is {newest}"
        raise CommandError(f"Which execution? Say its number ({what}; cronstatus shows them), or a job.", returncode=2)
    try:
        return number(which)
    except ArgumentTypeError as error:
        if not is_valid_name(which):
            raise CommandError(f"{error}, and no name of a job.".replace(".,", ","), returncode=2) from None
    newest = _newest(JobExecution.objects.filter(job_name=which))
    if newest is None:
        with refusals_explained(which):
            Job.objects.named(which)
        raise CommandError(f"Job {which} has no execution yet.", returncode=2)
    return newest


def _newest(executions: QuerySet[JobExecution]) -> int | None:
    return executions.order_by("-pk").values_list("pk", flat=True).first()


def _find(pk: int) -> JobExecution:
    execution = JobExecution.objects.filter(pk=pk).defer(*_NOT_READ).first()
    if execution is None:
        raise CommandError(f"There is no execution {pk}.", returncode=2)
    return execution


def _is_over(execution: JobExecution, attempt: int | None) -> bool:
    if execution.is_final or attempt is None:
        return execution.is_final
    return execution.attempt > attempt or execution.status == ExecutionStatus.QUEUED


def _attempts(execution: JobExecution, attempt: int | None) -> Iterable[ExecutionAttempt]:
    rows = ExecutionAttempt.objects.filter(execution_id=execution.pk).order_by("attempt")
    return rows if attempt is None else rows.filter(attempt=attempt)


def _document(execution: JobExecution, attempt: int | None) -> dict[str, Any]:
    # LOG_MAX_BYTES bounds what this holds.
    return {
        **outcome_document(execution, read_clock(engine_alias(JobExecution))),
        "attempts": [attempt_document(each) for each in _attempts(execution, attempt)],
        "lines": [line_document(each) for each in all_lines(execution.pk, after=Place(), attempt=attempt)],
    }
