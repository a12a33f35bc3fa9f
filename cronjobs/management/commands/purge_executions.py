"""`manage.py purge_executions`: delete what is older than the history is kept."""

from __future__ import annotations

import re
import signal
import threading
from argparse import ArgumentTypeError
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser

from cronjobs.database import engine_alias, read_clock
from cronjobs.management.arguments import add_examples, as_json
from cronjobs.management.output import database_errors_explained
from cronjobs.management.progress import progress_line
from cronjobs.management.shell import ShellCommand
from cronjobs.models import Job, JobExecution
from cronjobs.retention import LARGEST_BATCH, LEAST_AGE, Pace, Policy, Purge, current_policy, kept_at_least
from cronjobs.retention.report import count_document, sentence, time_document
from cronjobs.scheduler.requests import in_utc

EXAMPLES = """\
examples:
  manage.py purge_executions --dry-run
  manage.py purge_executions
  manage.py purge_executions --job send-digest --older-than 7d --failures-older-than 30d
  manage.py purge_executions --keep 1000

Does what the job purge-history does each night: deletes executions with their logs and attempts,
audit entries, alerts and hourly figures that are older than CRONJOBS["HISTORY_RETENTION"],
["FAILURE_RETENTION"] (failed, timed out, lost), ["AUDIT_RETENTION"], ["ALERT_RETENTION"] and
["ROLLUP_RETENTION"] say; with ["HISTORY_PER_JOB"], or --keep, also executions beyond that number.
Whatever is asked for, kept are: what is younger than a day, what is open, each job's newest
execution, success, start and due time, a flow of which a part has to be kept, and what the hourly
figures have yet to count.

Oldest first, in transactions of a tenth of a second, resting as long in between: nodes go on
meanwhile. It can be interrupted at any time, and run again. --dry-run counts the very same rows.

exit codes:
  0  done; or, with --dry-run, shown
  1  the SQL database cannot be used, or it was interrupted (what is deleted stays deleted)
  2  the arguments are wrong
"""

_AGE = re.compile(r"(?P<number>[0-9]{1,6})(?P<unit>[hdw])", re.ASCII)
_HOURS = {"h": 1, "d": 24, "w": 168}


class Command(ShellCommand):
    """A shell around a purge."""

    help = "Delete executions and other records that are older than they are kept."

    def add_arguments(self, parser: CommandParser) -> None:
        add_examples(parser, EXAMPLES)
        parser.add_argument("--older-than", type=age, metavar="AGE", help="Instead of HISTORY_RETENTION, such as 30d.")
        parser.add_argument("--failures-older-than", type=age, metavar="AGE", help="Instead of FAILURE_RETENTION.")
        parser.add_argument("--keep", type=count, metavar="N", help="Instead of HISTORY_PER_JOB.")
        parser.add_argument("--job", metavar="NAME", help="Only executions of this job, and no other records.")
        parser.add_argument("--batch", type=batch, metavar="N", help="Executions at a time. Default: found by trying.")
        parser.add_argument("--dry-run", action="store_true", help="Only count what would be deleted.")
        parser.add_argument("--json", action="store_true", help="Print the numbers as JSON.")

    def handle(
        self,
        *,
        older_than: timedelta | None,
        failures_older_than: timedelta | None,
        keep: int | None,
        job: str | None,
        batch: int | None,
        dry_run: bool,
        json: bool,
        **_: Any,
    ) -> None:
        with database_errors_explained():
            _check_name(job)
            policy = current_policy(
                read_clock(engine_alias(JobExecution)),
                retention=older_than,
                failures=failures_older_than,
                per_job=keep,
                job_name=job,
            )
            interrupted = threading.Event()
            self._say_what_is_kept(policy)
            if older_than is not None and older_than < kept_at_least():
                self.warn(_TOO_SOON)
            with _interruptible(interrupted), progress_line(self.stderr, is_wanted=not json) as progress:
                verb = "would go" if dry_run else "deleted"
                purge = Purge(
                    policy,
                    pace=Pace(rest=interrupted.wait, size=batch),
                    report=lambda done, total, gone: progress.show(done, total, f"{gone:,} executions {verb}"),
                )
                _run(purge, dry_run=dry_run)
        self.stdout.write(as_json(_document(purge, policy, dry_run=dry_run)) if json else _said(purge, dry_run=dry_run))

    def _say_what_is_kept(self, policy: Policy) -> None:
        if policy.held_back is not None:
            until = in_utc(policy.held_back)
            self.warn(f"The hourly figures go up to {until}; what ended later is kept.")


_TOO_SOON = "This is less than CRONJOBS keeps: cronbackfill will not know that it lacks the history, and may run again what ran."


def age(text: str) -> timedelta:
    """Return the age that an argument says: hours, days or weeks, a day at least."""
    match = _AGE.fullmatch(text.strip())
    found = match and timedelta(hours=int(match["number"]) * _HOURS[match["unit"]])
    if not found:
        raise ArgumentTypeError(f"{text!r} is not an age, such as 30d, 36h or 8w.")
    if found < LEAST_AGE:
        raise ArgumentTypeError(f"What is younger than a day is never deleted, and {text} is less.")
    return found


def count(text: str) -> int:
    """Return the number that an argument says, 1 at least."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) < 10**9):
        raise ArgumentTypeError(f"{text!r} is not a whole number of at least 1.")
    return int(text)


def batch(text: str) -> int:
    """Return the size of a batch that an argument says."""
    if count(text) > LARGEST_BATCH:
        raise ArgumentTypeError(f"A batch has at most {LARGEST_BATCH} executions.")
    return int(text)


def _check_name(name: str | None) -> None:
    # History outlives its job.
    if name and not (Job.objects.filter(name=name).exists() or JobExecution.objects.filter(job_name=name).exists()):
        raise CommandError(f"There is no job {name!r}, and nothing that it has left.", returncode=2)


@contextmanager
def _interruptible(interrupted: threading.Event) -> Iterator[None]:
    """Set the event at the first Ctrl-C, so that what is being deleted is also counted; end at once at the next."""
    previous = signal.getsignal(signal.SIGINT)

    def ask(_number: int, _frame: object) -> None:
        interrupted.set()
        signal.signal(signal.SIGINT, previous)

    # Python lets only this thread say what a signal does; and who starts a command in the background may ignore this one.
    is_heeded = threading.current_thread() is threading.main_thread() and callable(previous)
    if is_heeded:
        signal.signal(signal.SIGINT, ask)
    try:
        yield
    except KeyboardInterrupt:
        raise CommandError("Interrupted at once. What was deleted stays so. Run it again to go on.") from None
    finally:
        if is_heeded:
            signal.signal(signal.SIGINT, previous)


def _run(purge: Purge, *, dry_run: bool) -> None:
    if dry_run:
        purge.survey()
    else:
        purge.perform()
    if not purge.is_complete:
        so_far = sentence(purge.purged, verb="Counted" if dry_run else "Deleted")
        raise CommandError(f"Interrupted. {so_far} Run it again to go on.")


def _said(purge: Purge, *, dry_run: bool) -> str:
    return sentence(purge.purged, verb="Would delete" if dry_run else "Deleted")


def _document(purge: Purge, policy: Policy, *, dry_run: bool) -> dict[str, Any]:
    return {**count_document(purge.purged), **time_document(policy), "jobName": policy.job_name, "dryRun": dry_run}
