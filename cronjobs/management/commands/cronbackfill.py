"""`manage.py cronbackfill`: run the due times of a past range that were never run."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.management.base import CommandError, CommandParser

from cronjobs.management.arguments import add_examples, as_json, instant, who
from cronjobs.management.jobs import refusals_explained, warn_if_it_waits
from cronjobs.management.output import database_errors_explained
from cronjobs.management.progress import progress_line
from cronjobs.management.shell import ShellCommand
from cronjobs.models import Job
from cronjobs.scheduler.backfills import Backfill, Tally
from cronjobs.scheduler.requests import in_utc
from cronjobs.storable import rfc3339

EXAMPLES = """\
examples:
  manage.py cronbackfill send-digest --from 2026-03-01T00:00:00Z --to 2026-03-07T23:59:59Z --dry-run
  manage.py cronbackfill send-digest --from 2026-03-01T00:00:00Z --to 2026-03-07T23:59:59Z

Both ends of the range belong to it. Each due time that the present schedule has in it, within
the job's window and without the days that its calendar excludes, becomes an execution that the
job knows by context.scheduled_for. Nodes perform them one after another, oldest first, also
where the job may overlap. An occurrence that has run, however it ended, is not repeated; one
that was skipped before it began is queued again; so running the command twice adds nothing
twice, and one that was interrupted can be repeated.

--force is needed for a range that begins longer ago than CRONJOBS["HISTORY_RETENTION"], since
nobody can tell any more what has run then, and for more than 10,000 due times. --dry-run shows
the numbers without it.

exit codes:
  0  recorded; or, with --dry-run, shown
  1  the job is broken, or the SQL database cannot be used
  2  the arguments are wrong: no such job, no such range, or --force is needed
"""


class Command(ShellCommand):
    """A shell around a back-fill."""

    help = "Create the executions of a past range of a job's due times."

    def add_arguments(self, parser: CommandParser) -> None:
        add_examples(parser, EXAMPLES)
        parser.add_argument("name", help="Name of the job, as cronstatus shows it.")
        parser.add_argument(
            "--from", type=instant, required=True, metavar="ISO", dest="start", help="The range begins here."
        )
        parser.add_argument("--to", type=instant, required=True, metavar="ISO", dest="end", help="The range ends here.")
        parser.add_argument("--dry-run", action="store_true", help="Only show what would be done.")
        parser.add_argument("--force", action="store_true", help="Also if the range is very old or very full.")
        parser.add_argument("--json", action="store_true", help="Print the numbers as JSON.")

    def handle(
        self, *, name: str, start: datetime, end: datetime, dry_run: bool, force: bool, json: bool, **_: Any
    ) -> None:
        with database_errors_explained(), refusals_explained(name):
            wanted = Backfill(Job.objects.named(name), start=start, end=end)
            if wanted.objection and not (force or dry_run):
                raise CommandError(f"{wanted.objection} Use --force if that is meant.", returncode=2)
            tally = self._perform(wanted, dry_run=dry_run, force=force, json=json)
            self.stdout.write(
                as_json(_document(wanted, tally, dry_run=dry_run))
                if json
                else _sentence(wanted, tally, dry_run=dry_run)
            )
            if dry_run and wanted.objection:
                self.warn(f"{wanted.objection} It will need --force.")
            if not dry_run and tally.created + tally.revived:
                warn_if_it_waits(self)

    def _perform(self, wanted: Backfill, *, dry_run: bool, force: bool, json: bool) -> Tally:
        with progress_line(self.stderr, is_wanted=not json) as progress:

            def report(done: int) -> None:
                progress.show(done, wanted.count, f"{done:,} of {wanted.count:,} due times")

            if dry_run:
                return wanted.survey(report=report)
            return wanted.perform(by=who(), force=force, report=report)


def _sentence(wanted: Backfill, tally: Tally, *, dry_run: bool) -> str:
    if wanted.first is None or wanted.last is None:
        return f"{wanted.job} was never due from {in_utc(wanted.start)} to {in_utc(wanted.end)}."
    times = "1 due time" if wanted.count == 1 else f"{wanted.count:,} due times"
    would = "would be " if dry_run else ""
    return (
        f"{wanted.job}: {times} from {in_utc(wanted.first)} to {in_utc(wanted.last)}: "
        f"{tally.created:,} {would}added, {tally.revived:,} {would}queued again, {tally.existing:,} there already."
    )


def _document(wanted: Backfill, tally: Tally, *, dry_run: bool) -> dict[str, Any]:
    return {
        "jobName": wanted.job.name,
        "from": rfc3339(wanted.start),
        "to": rfc3339(wanted.end),
        "count": wanted.count,
        "first": None if wanted.first is None else rfc3339(wanted.first),
        "last": None if wanted.last is None else rfc3339(wanted.last),
        "created": tally.created,
        "revived": tally.revived,
        "existing": tally.existing,
        "dryRun": dry_run,
    }
