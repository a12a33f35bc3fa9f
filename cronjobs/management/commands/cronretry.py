"""`manage.py cronretry`: run executions that have ended again."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from cronjobs.exceptions import CannotRetry, ExecutionNotFound
from cronjobs.journal import tell_of_execution
from cronjobs.management.actors import shell
from cronjobs.management.arguments import add_examples, as_json, said, who
from cronjobs.management.executions import number, numbered
from cronjobs.management.jobs import performer, warn_if_it_waits
from cronjobs.management.output import database_errors_explained
from cronjobs.management.shell import ShellCommand
from cronjobs.models import JobExecution
from cronjobs.models.reruns import Rerun, retry

EXAMPLES = """\
examples:
  manage.py cronretry 4711
  manage.py cronretry 4711 4712 --json

Each becomes a new execution of the same job, for the same time (context.scheduled_for) and with
the same parameters, which a node, or a Celery worker, performs. Queue, priority and number of attempts are the job's
as it is now. What was skipped, or cancelled before it began, can be run like this as well; what
is still open has to be cancelled first. While such a repetition waits or runs, asking again adds
nothing. Your name is kept.

exit codes:
  0  each of them is recorded to run again
  1  one of them cannot be run again, and the reason is shown; or the SQL database cannot be used
  2  the arguments are wrong: no such execution; then nothing was done
"""


class Command(ShellCommand):
    """A shell around one request per execution."""

    help = "Run executions that have ended again, as new ones."

    def add_arguments(self, parser: CommandParser) -> None:
        add_examples(parser, EXAMPLES)
        parser.add_argument("numbers", nargs="+", type=number, metavar="ID", help="Number of an execution.")
        parser.add_argument("--json", action="store_true", help="Print what became of each as JSON.")

    def handle(self, *, numbers: list[int], json: bool, **_: Any) -> None:
        with database_errors_explained():
            answers = [(each, _retry(each)) for each in numbered(numbers)]
            refused = [said(answer) for _, answer in answers if isinstance(answer, Exception)]
            if json:
                self.stdout.write(as_json([_document(*each) for each in answers]))
            else:
                for execution, answer in answers:
                    if isinstance(answer, Rerun):
                        self.stdout.write(_sentence(execution, answer))
            if len(refused) < len(answers):
                warn_if_it_waits(self)
        if refused:
            raise CommandError("\n".join(refused))


def _retry(execution: JobExecution) -> Rerun | CannotRetry | ExecutionNotFound:
    try:
        rerun = retry(execution.pk, requested_by=who())
    except (CannotRetry, ExecutionNotFound) as error:
        return error
    if rerun.is_new:
        tell_of_execution(shell("cronretry"), execution, rerun.execution)
    return rerun


def _sentence(execution: JobExecution, rerun: Rerun) -> str:
    if rerun.is_new:
        return f"{execution} runs again as #{rerun.execution.pk}; {performer(rerun.execution)} performs it."
    return f"{execution} is being run again already, as #{rerun.execution.pk}."


def _document(execution: JobExecution, answer: Rerun | Exception) -> dict[str, Any]:
    rerun = answer if isinstance(answer, Rerun) else None
    return {
        "executionId": execution.pk,
        "jobName": execution.job_name,
        "retryId": rerun.execution.pk if rerun else None,
        "isNew": rerun is not None and rerun.is_new,
        "error": None if rerun else said(answer),
    }
