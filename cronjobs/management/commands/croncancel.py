"""`manage.py croncancel`: call executions off, by number, or all that are open of a job."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Iterator, Sequence
from typing import Any

from django.core.management.base import CommandError, CommandParser

from cronjobs.journal import tell_of_cancellation
from cronjobs.management.actors import shell
from cronjobs.management.arguments import add_examples, as_json, who
from cronjobs.management.executions import number, numbered
from cronjobs.management.jobs import refusals_explained
from cronjobs.management.output import database_errors_explained
from cronjobs.management.shell import ShellCommand
from cronjobs.models import Job, JobExecution
from cronjobs.models.moves import Cancellation, cancel
from cronjobs.models.moves.cancellations import REASON_MAX_LENGTH

EXAMPLES = """\
examples:
  manage.py croncancel 4711 4712 --reason "Wrong month."
  manage.py croncancel --job send-digest

What waits is cancelled at once, also between two attempts. What runs is asked to stop: the job
sees context.cancelled, a process of its own is ended, and the execution is cancelled when its
code has ended; cronstatus shows it until then. Nobody can end a thread: a job in one that never
looks at context.cancelled goes on until its node is restarted. What has ended stays as it is,
and is named. Your name is kept with the reason. Due times to come are not touched: cronpause is
for that.

exit codes:
  0  nothing of what was named is left that nobody has asked to stop
  1  the SQL database cannot be used
  2  the arguments are wrong: no such execution, no such job; then nothing was done
"""

_BATCH = 500
_SENTENCES = {
    "cancelled": "{} is cancelled.",
    "asked_to_stop": "{} runs, and has been asked to stop.",
    "asked_before": "{} runs, and had been asked to stop before.",
    "had_ended": "{} has ended already: it is {}.",
}
_ASKED = ("asked_to_stop", "asked_before")
_HOW_IT_ENDS = (
    "cronstatus shows what still runs. A job in a thread that never looks at context.cancelled "
    "goes on until its node (runcron) is restarted."
)


class Command(ShellCommand):
    """A shell around one move."""

    help = "Cancel executions that wait, and ask those that run to stop."

    def add_arguments(self, parser: CommandParser) -> None:
        add_examples(parser, EXAMPLES)
        parser.add_argument("numbers", nargs="*", type=number, metavar="ID", help="Number of an execution.")
        parser.add_argument("--job", metavar="NAME", help="Instead of numbers: all open executions of this job.")
        parser.add_argument("--reason", type=reason_text, default="", metavar="TEXT", help="Kept, and shown.")
        parser.add_argument("--json", action="store_true", help="Print what became of each as JSON.")

    def handle(self, *, numbers: list[int], job: str | None, reason: str, json: bool, **_: Any) -> None:
        if bool(numbers) == (job is not None):
            raise CommandError("Name executions by their numbers, or a job with --job.", returncode=2)
        with database_errors_explained():
            executions = numbered(numbers) if job is None else _open_of(job)
            outcomes = list(_cancel_each(executions, reason))
        if json:
            self.stdout.write(as_json([_document(*each) for each in outcomes]))
            return
        for execution, outcome in outcomes:
            self.stdout.write(_SENTENCES[outcome].format(execution, execution.status))
        if any(outcome in _ASKED for _, outcome in outcomes):
            self.stdout.write(_HOW_IT_ENDS)
        if not outcomes:
            self.stdout.write(f"No execution of {job} is open.")


def reason_text(text: str) -> str:
    """Return the reason that an argument gives."""
    if len(text) > REASON_MAX_LENGTH:
        raise ArgumentTypeError(f"A reason has at most {REASON_MAX_LENGTH} characters.")
    return text


def _open_of(name: str) -> list[JobExecution]:
    with refusals_explained(name):
        job = Job.objects.named(name)
    return list(JobExecution.objects.open().filter(job=job).order_by("pk").only("job_name", "status"))


def _cancel_each(executions: Sequence[JobExecution], reason: str) -> Iterator[tuple[JobExecution, str]]:
    """Cancel them, and yield each as it is now with what became of it."""
    for start in range(0, len(executions), _BATCH):
        batch = {each.pk: each for each in executions[start : start + _BATCH]}
        rows = JobExecution.objects.filter(pk__in=batch)
        done = cancel(rows, reason=reason, by=who())
        tell_of_cancellation(shell("croncancel"), (batch[pk] for pk in sorted(done.cancelled | done.asked)))
        statuses = dict(rows.values_list("pk", "status"))
        for pk, execution in batch.items():
            execution.status = statuses.get(pk, execution.status)
            yield execution, _outcome(done, pk)


def _outcome(done: Cancellation, pk: int) -> str:
    if pk in done.cancelled:
        return "cancelled"
    if pk in done.asked:
        return "asked_to_stop"
    return "asked_before" if pk in done.asked_before else "had_ended"


def _document(execution: JobExecution, outcome: str) -> dict[str, Any]:
    return {
        "executionId": execution.pk,
        "jobName": execution.job_name,
        "status": str(execution.status),
        "outcome": outcome,
    }
