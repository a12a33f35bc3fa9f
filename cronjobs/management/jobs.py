"""The job that a command's argument names, and what may be wrong with it, as a sentence and an exit code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches

from django.core.management.base import CommandError

from cronjobs.exceptions import CronJobsError, InvalidParameters, InvalidRequest, JobNotFound
from cronjobs.management.arguments import said
from cronjobs.management.shell import ShellCommand
from cronjobs.models import Job, JobExecution, Node
from cronjobs.models.choices import WaitsFor
from cronjobs.models.pausing import why_everything_is_paused
from cronjobs.registry import registry


@contextmanager
def refusals_explained(name: str, *, broken: int = 1) -> Iterator[None]:
    """Turn what cannot be done with the job `name` into one sentence: exit code 2 for what the arguments say.

    A job that is `broken` has an exit code of its own.
    """
    try:
        yield
    except JobNotFound as error:
        raise CommandError(f"{error}{_advice(error)}", returncode=2) from error
    except (InvalidParameters, InvalidRequest) as error:
        raise CommandError(said(error), returncode=2) from error
    except CronJobsError as error:
        raise CommandError(f"Job {name} cannot run: {said(error)}", returncode=broken) from error


def performer(execution: JobExecution) -> str:
    """Return who performs an execution that was recorded."""
    return "a node" if execution.waits_for == WaitsFor.NODE else "a Celery worker"


def warn_if_it_waits(command: ShellCommand) -> None:
    """Say it where what was recorded must wait, since no node takes work or everything is paused."""
    staff = Node.objects.staff()
    if not staff.at_work:
        why = "Every node that is alive is draining" if staff.draining else "No node is alive"
        command.warn(f"{why}: it waits until runcron is started.")
    if paused := why_everything_is_paused():
        command.warn(paused)


def _advice(error: JobNotFound) -> str:
    definition = registry.get(error.name)
    if definition is not None and registry.is_available(definition):
        return " The code defines it: run manage.py migrate (or start a node), and it is made."
    close = get_close_matches(error.name, Job.objects.values_list("name", flat=True), n=1)
    return f" Did you mean {close[0]!r}?" if close else " cronstatus lists them."
