"""`manage.py cronpreview`: when a job, or a schedule that is still being thought about, is going to run."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from cronjobs.conf import get_settings
from cronjobs.database import engine_alias, read_clock
from cronjobs.dependencies import describe_dependencies
from cronjobs.exceptions import InvalidSchedule
from cronjobs.management.arguments import add_examples, as_json, instant
from cronjobs.management.jobs import refusals_explained
from cronjobs.management.output import database_errors_explained, table, terminal_width
from cronjobs.management.shell import ShellCommand
from cronjobs.models import Job, JobExecution
from cronjobs.scheduler.previews import preview_job
from cronjobs.scheduler.requests import in_utc
from cronjobs.schedules import PREVIEW_LIMIT, Cron, Fire, Preview, Schedule, parse_schedule, parse_time_zone, preview
from cronjobs.storable import rfc3339

EXAMPLES = """\
examples:
  manage.py cronpreview --job send-digest
  manage.py cronpreview --expression "30 2 * * *" --time-zone America/New_York
  manage.py cronpreview --expression "@every 90m" --until 2026-03-02T00:00:00Z
  manage.py cronpreview --job send-digest --after 2026-03-07T12:00:00Z --count 5 --json

Shows due times after --after, in UTC and in the zone of the schedule, and marks those that a
clock change moves, repeats or takes away. For a job, its window, its calendar, its jitter, a
pause and what was skipped ahead are taken account of. --json has the due times that run in
"fires", and all lines in "details".

exit codes:
  0  shown; "never" if nothing is due, and what it runs after if the job has no times of its own
  1  the SQL database cannot be used
  2  the arguments are wrong, there is no such job, or the job is broken
"""

_DEFAULT_COUNT = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Which due times are asked for."""

    after: datetime
    until: datetime | None
    count: int

    def __str__(self) -> str:
        return f"after {in_utc(self.after)}{'' if self.until is None else f' and up to {in_utc(self.until)}'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A schedule (None: on demand), the zone whose clock it is shown on, and what it is going to do."""

    schedule: Schedule | None
    zone: ZoneInfo
    preview: Preview
    job: str | None = None
    # What the job runs after, as a sentence has it.
    after: str = ""

    @property
    def description(self) -> str:
        """The schedule in English, and what the job runs after."""
        schedule = "" if self.schedule is None else self.schedule.describe()
        after = f"after {self.after}" if self.after else ""
        text = ", and ".join(filter(None, [schedule, after])) or "on demand"
        return f"{text[0].upper()}{text[1:]}"

    @property
    def advice(self) -> tuple[str, ...]:
        """What is valid in the expression but may surprise."""
        nominal = None if self.schedule is None else self.schedule.nominal
        return nominal.advice() if isinstance(nominal, Cron) else ()


class Command(ShellCommand):
    """A table, or one JSON document."""

    help = "Show when a job or a schedule is going to run."

    def add_arguments(self, parser: CommandParser) -> None:
        add_examples(parser, EXAMPLES)
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--job", metavar="NAME", help="Name of a job, as cronstatus shows it.")
        what.add_argument("--expression", metavar="E", help="Any schedule, such as '*/5 * * * *' or '@daily'.")
        parser.add_argument("--time-zone", metavar="Z", help="IANA zone of the expression; default: the setting's.")
        parser.add_argument("--after", type=instant, metavar="ISO", help="Due times later than this; default: now.")
        span = parser.add_mutually_exclusive_group()
        span.add_argument("--count", type=number, metavar="N", help=f"So many of them; default: {_DEFAULT_COUNT}.")
        span.add_argument("--until", type=instant, metavar="ISO", help="Those up to this time, which is included.")
        parser.add_argument("--json", action="store_true", help="Print everything as JSON.")

    def handle(
        self,
        *,
        job: str | None,
        expression: str | None,
        time_zone: str | None,
        json: bool,
        **options: Any,
    ) -> None:
        if job is None:
            span = _span(timezone.now(), **options)
            shown = _of_expression(expression or "", time_zone, span)
        else:
            if time_zone is not None:
                raise CommandError("--time-zone goes with --expression; a job has its own.", returncode=2)
            with database_errors_explained(), refusals_explained(job, broken=2):
                span = _span(read_clock(engine_alias(JobExecution)), **options)
                shown = _of_job(Job.objects.named(job), span)
        if json:
            self.stdout.write(as_json(_document(shown)))
        else:
            self._show(shown, span)

    def _show(self, shown: Shown, span: Span) -> None:
        self.stdout.write(shown.description if shown.job is None else f"{shown.job}: {shown.description}")
        if shown.preview.fires:
            first, *others = table(*_table(shown), width=terminal_width())
            self.stdout.write("\n".join(["", self.style.MIGRATE_HEADING(first), *others]))
        remarks = list(_remarks(shown, span))
        if remarks:
            self.stdout.write("\n".join(["", *remarks]))


def number(text: str) -> int:
    """Return the number of due times that an argument says."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= PREVIEW_LIMIT):
        raise ArgumentTypeError(f"must be a whole number from 1 to {PREVIEW_LIMIT}, not {text[:40]!r}.")
    return int(text)


def _span(now: datetime, *, after: datetime | None, until: datetime | None, count: int | None, **_: Any) -> Span:
    start = after or now
    if until is not None and until <= start:
        raise CommandError(f"--until must be later than {in_utc(start)}, not {in_utc(until)}.", returncode=2)
    return Span(after=start, until=until, count=count or (_DEFAULT_COUNT if until is None else PREVIEW_LIMIT))


def _of_expression(expression: str, time_zone: str | None, span: Span) -> Shown:
    name = time_zone or get_settings().time_zone
    try:
        zone = parse_time_zone(name)
        schedule = parse_schedule(expression).in_zone(name)
    except InvalidSchedule as error:
        raise CommandError(str(error), returncode=2) from error
    found = preview(schedule, after=span.after, until=span.until, count=span.count)
    return Shown(schedule=schedule, zone=zone, preview=found)


def _of_job(job: Job, span: Span) -> Shown:
    resolved = job.resolve()
    found = preview_job(job, after=span.after, until=span.until, count=span.count)
    return Shown(
        schedule=resolved.schedule,
        zone=ZoneInfo(resolved.time_zone),
        preview=found,
        job=job.name,
        after=describe_dependencies(resolved.depends_on),
    )


def _table(shown: Shown) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the header and the rows, without columns that would be empty."""
    fires = shown.preview.fires
    columns = {
        "UTC": [f"{each.at:%Y-%m-%d %H:%M:%S}" for each in fires],
        "LOCAL": [_local(each.at, shown.zone) for each in fires],
        "START (UTC)": ["" if each.start is None else f"{each.start:%H:%M:%S}" for each in fires],
        "": [each.mark or "" for each in fires],
    }
    filled = {header: cells for header, cells in columns.items() if any(cells)}
    return tuple(filled), list(zip(*filled.values(), strict=True))


def _remarks(shown: Shown, span: Span) -> Iterator[str]:
    # What runs after other jobs does run, at times that nobody knows yet: the note says so.
    if not shown.preview.times and (shown.schedule is not None or not shown.after):
        yield f"never: nothing runs {span}"
    if shown.preview.is_cut and span.count == PREVIEW_LIMIT:
        yield f"note: only the first {PREVIEW_LIMIT:,} are shown"
    yield from (f"note: {each}" for each in shown.preview.notes)
    yield from (f"advice: {each}" for each in shown.advice)


def _document(shown: Shown) -> dict[str, Any]:
    return {
        **({} if shown.job is None else {"jobName": shown.job}),
        "expression": None if shown.schedule is None else str(shown.schedule),
        "timeZone": shown.zone.key,
        "description": shown.description,
        "fires": [_iso(at) for at in shown.preview.times],
        "notes": list(shown.preview.notes),
        "advice": list(shown.advice),
        "details": [_detail(each, shown.zone) for each in shown.preview.fires],
    }


def _detail(fire: Fire, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "at": _iso(fire.at),
        "local": _local(fire.at, zone),
        "start": None if fire.start is None else rfc3339(fire.start),
        "runs": fire.runs,
        "mark": fire.mark,
        "note": fire.note or None,
    }


def _iso(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _local(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%a %Y-%m-%d %H:%M:%S %Z}"
