"""`manage.py cronimport`: jobs for what crontab, Celery's beat, APScheduler or a file of schedules runs."""

from __future__ import annotations

from argparse import ArgumentTypeError, BooleanOptionalAction
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from django.core.management.base import CommandError, CommandParser
from django.db import DEFAULT_DB_ALIAS, connections

from cronjobs.database import engine_alias, read_clock
from cronjobs.exceptions import CronJobsError
from cronjobs.importing import (
    Applied,
    Finding,
    Outcome,
    Reading,
    Rule,
    apply,
    celery_beat_tables,
    parse_rule,
    plan,
    read_celery_beat,
    read_crontab,
    read_schedule_file,
    read_stored_jobs,
    rules_in,
    stored_job_rows,
)
from cronjobs.management.actors import shell
from cronjobs.management.arguments import add_examples, as_json, one_line, said, zone
from cronjobs.management.files import read_file
from cronjobs.management.importing import HEADER, document, finding_lines, finding_row, tally
from cronjobs.management.output import Painted, database_errors_explained, table, terminal_width
from cronjobs.management.progress import progress_line
from cronjobs.management.shell import ShellCommand
from cronjobs.models import Job
from cronjobs.parsing import did_you_mean
from cronjobs.registry import registry

EXAMPLES = """\
examples:
  manage.py cronimport crontab /etc/crontab --time-zone Europe/Berlin
  crontab -l | manage.py cronimport crontab - --time-zone Europe/Berlin --map '*backup.sh*=nightly-backup'
  manage.py cronimport django-celery-beat
  manage.py cronimport django-celery-beat --apply --update --paused
  manage.py cronimport django-apscheduler --json
  manage.py cronimport schedule-file cron/config/schedules.js --time-zone UTC --apply

Says what would become of each thing that another scheduler runs, and writes nothing without --apply.
A job needs a definition in the code: it is found by the name of the management command, the script, the
task, the id or the key, whatever its capitals and hyphens (send_digest and SEND_DIGEST are send-digest), or
by --map. For what has none there is the beginning of one to copy. Nothing is run, evaluated or unpickled.

One entry of each definition becomes the definition's own job, which is there since migrate; further ones get
jobs that are called as they were. A job that exists and is different is changed with --update only. What is
written is written together, recorded in the log cronjobs.security, and due from then on; running it again
adds nothing twice. With --paused no job that does an entry is
due before cronresume. docs/moving-in.md tells the rest.

exit codes:
  0  shown; with --apply: written
  1  a file or table cannot be read, with --apply a line is not understood (then nothing was written),
     or the SQL database cannot be used
  2  the arguments are wrong: no such definition, zone or database
"""

_LATER: Final = {Outcome.CREATE: "SUCCESS", Outcome.DIFFERS: "WARNING", Outcome.UNDEFINED: "WARNING"}
_NEEDS_ZONE = (
    "Say --time-zone, such as --time-zone Europe/Berlin: {} follows the clock of its machine, which timedatectl shows."
)


class Command(ShellCommand):
    """A shell around reading, comparing and writing."""

    help = "Make jobs of what a crontab, django-celery-beat, django-apscheduler or a file of schedules runs."

    def add_arguments(self, parser: CommandParser) -> None:
        add_examples(parser, EXAMPLES)
        sources = parser.add_subparsers(dest="source", required=True, metavar="SOURCE")
        crontab = sources.add_parser("crontab", help="A crontab: of a user, or /etc/crontab and /etc/cron.d.")
        crontab.add_argument("file", metavar="FILE", help="The file; - is standard input.")
        crontab.add_argument(
            "--system", action=BooleanOptionalAction, default=None,
            help="Whether each line names a user; by default so in /etc/crontab and /etc/cron.d.",
        )  # fmt: skip
        beat = sources.add_parser("django-celery-beat", help="The tables of django-celery-beat.")
        stored = sources.add_parser("django-apscheduler", help="The table of jobs of django-apscheduler.")
        file = sources.add_parser(
            "schedule-file", help="A JavaScript or JSON file that maps names to cron expressions."
        )
        file.add_argument("file", metavar="FILE", help="The file; - is standard input.")
        for each in (crontab, file):
            each.add_argument(
                "--time-zone", type=zone, metavar="Z", help="IANA zone of what names none, such as Europe/Berlin."
            )
        for each in (beat, stored):
            each.add_argument(
                "--database", type=_alias, default=DEFAULT_DB_ALIAS, metavar="ALIAS", help="Where the tables are."
            )
        for each in (crontab, beat, stored, file):
            _add_common(each)

    def handle(
        self, *, source: str, rules: list[Rule], map_file: list[Rule] | None, json: bool, **options: Any
    ) -> None:
        given = [*rules, *(map_file or [])]
        _check_known(given)
        with database_errors_explained(), _errors_explained():
            reading = _READERS[source](options)
            findings = plan(reading.entries, given)
            applied = self._apply(findings, json=json, **options) if options["apply"] else None
        if json:
            self.stdout.write(as_json(document(source, reading, findings, applied)))
        else:
            self._show(reading, findings, applied, update=options["update"])

    def _apply(self, findings: Sequence[Finding], *, update: bool, paused: bool, json: bool, **_: Any) -> Applied:
        with progress_line(self.stderr, is_wanted=not json) as progress:
            return apply(
                findings,
                actor=shell("cronimport"),
                update=update,
                paused=paused,
                report=lambda done, total: progress.show(done, total, f"{done:,} of {total:,} jobs"),
            )

    def _show(self, reading: Reading, findings: Sequence[Finding], applied: Applied | None, *, update: bool) -> None:
        rows = [self._painted(each) for each in findings]
        first, *others = table(HEADER, rows, width=terminal_width())
        self.stdout.write(self.style.MIGRATE_HEADING(first))
        for line, finding in zip(others, findings, strict=True):
            self.stdout.write(line)
            for each in finding_lines(finding):
                self.stdout.write(f"    {each}")
        for remark in reading.remarks:
            self.stdout.write(f"\nnote: {remark}")
        stubs = dict.fromkeys(each.stub for each in findings if each.stub)
        if stubs:
            self.stdout.write(self.style.MIGRATE_HEADING("\nDefinitions to begin with, in a module jobs of an app:"))
            imports = "from django.core.management import call_command\n\n" * any(
                "call_command(" in each for each in stubs
            )
            self.stdout.write("\n\n\n".join(["", f"{imports}from cronjobs import job", *stubs]).removeprefix("\n\n"))
        self.stdout.write(f"\n{tally(findings, applied, update=update)}")

    def _painted(self, finding: Finding) -> tuple[str, ...]:
        *cells, outcome = finding_row(finding)
        is_bad = finding.outcome in (Outcome.CANNOT, Outcome.UNREADABLE)
        style = "ERROR" if is_bad else _LATER.get(finding.outcome)
        return *cells, Painted(outcome, getattr(self.style, style)) if style else outcome


def _add_common(parser: CommandParser) -> None:
    parser.add_argument(
        "--map", dest="rules", action="append", type=_rule, default=[], metavar="PATTERN=DEFINITION",
        help="What the pattern matches (a name or the whole command, with * and ?) is done by that definition; "
        "may be repeated.",
    )  # fmt: skip
    parser.add_argument("--map-file", type=_rules, metavar="FILE", help="A file with such rules, one a line.")
    parser.add_argument("--apply", action="store_true", help="Write the jobs that are missing.")
    parser.add_argument("--update", action="store_true", help="With --apply: change those that are different, too.")
    parser.add_argument("--paused", action="store_true", help="With --apply: pause every job that does an entry.")
    parser.add_argument("--json", action="store_true", help="Print everything as JSON.")


def _rule(text: str) -> Rule:
    try:
        return parse_rule(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


def _rules(name: str) -> list[Rule]:
    try:
        return rules_in(read_file(name).decode("utf-8-sig"))
    except (CommandError, ValueError) as error:
        raise ArgumentTypeError(f"{name}: {one_line(error)}") from None


def _alias(text: str) -> str:
    if text not in connections:
        raise ArgumentTypeError(f"DATABASES has no {text!r}.{did_you_mean(text, connections)}")
    return text


def _check_known(rules: Sequence[Rule]) -> None:
    names = [each.name for each in registry]
    for each in rules:
        if each.definition not in names:
            advice = did_you_mean(each.definition, names)
            raise CommandError(f"There is no definition {each.definition!r}.{advice}", returncode=2)


@contextmanager
def _errors_explained() -> Iterator[None]:
    try:
        yield
    except CronJobsError as error:
        raise CommandError(said(error)) from error


def _crontab(options: dict[str, Any]) -> Reading:
    name, is_system = options["file"], options["system"]
    content = read_file(name)
    if is_system is None:
        is_system = name != "-" and is_of_system(Path(name))
    return _with_zones(read_crontab(content, is_system=is_system, time_zone=options["time_zone"]), "a crontab")


def is_of_system(path: Path) -> bool:
    """Return whether a crontab in that place is one of the system, whose lines name a user."""
    # Of a link in /etc/cron.d its own place counts, of one to there what it leads to.
    places = (path.absolute(), path.resolve())
    return any(each == Path("/etc/crontab") or each.parent == Path("/etc/cron.d") for each in places)


def _with_zones(found: Reading, source: str) -> Reading:
    if any("schedule" in each.columns and "time_zone" not in each.columns for each in found.entries):
        raise CommandError(_NEEDS_ZONE.format(source), returncode=2)
    return found


def _celery_beat(options: dict[str, Any]) -> Reading:
    return read_celery_beat(celery_beat_tables(options["database"]), now=read_clock(engine_alias(Job)))


def _stored_jobs(options: dict[str, Any]) -> Reading:
    return read_stored_jobs(stored_job_rows(options["database"]))


def _schedule_file(options: dict[str, Any]) -> Reading:
    found = read_schedule_file(read_file(options["file"]), time_zone=options["time_zone"])
    return _with_zones(found, "node-cron")


_READERS: Final = {
    "crontab": _crontab,
    "django-celery-beat": _celery_beat,
    "django-apscheduler": _stored_jobs,
    "schedule-file": _schedule_file,
}
