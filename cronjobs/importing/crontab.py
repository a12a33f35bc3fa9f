"""A crontab, a user's or the system's, as entries."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from cronjobs.exceptions import InvalidSchedule
from cronjobs.importing.commands import read_command
from cronjobs.importing.entries import Entry, Reading
from cronjobs.schedules import parse_schedule, parse_time_zone

# NAME = value, either in quotes or not, as cron(8) reads it. A name without quotes has no spaces, which sets
# such a line apart from one with a schedule.
_VARIABLE = re.compile(r"""(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<bare>[^\s="']+))\s*=\s*(?P<value>.*)""")
_PERCENT = re.compile(r"(?<!\\)%")
_REBOOT = (
    "It runs when the machine starts, which is no due time; what has to run with the nodes, runcron's unit can start."
)
_INPUT = "What follows the % is given to the command as its input, which a job does not have."
_TOO_SHORT = "It is neither a variable nor a schedule with a command."


@dataclass(slots=True)
class _Crontab:
    """What the lines up to here have said for those below."""

    is_system: bool
    time_zone: str | None
    variables: list[str] = field(default_factory=list)

    def assign(self, place: str, name: str, value: str) -> Entry | None:
        """Take a variable in; return an entry only if it makes those below unreadable."""
        if name != "CRON_TZ":
            self.variables.append(name)
            return None
        try:
            parse_time_zone(value)
        except InvalidSchedule as error:
            return _unreadable(place, f"CRON_TZ={value}", str(error))
        self.time_zone = value
        return None

    def summary(self) -> Iterator[str]:
        """Yield what there is to say of the variables."""
        if "MAILTO" in self.variables:
            yield "MAILTO is left out: whom to tell of what is for NOTIFIERS and ALERTS to say."
        if "TZ" in self.variables:
            yield "TZ is left out: to cron it is a variable of the commands, and moves no due time, unlike CRON_TZ."
        if others := [each for each in dict.fromkeys(self.variables) if each not in ("MAILTO", "TZ")]:
            yield f"Left out are variables of the commands, which runcron's environment needs: {', '.join(others)}."


def read_crontab(content: bytes, *, is_system: bool = False, time_zone: str | None = None) -> Reading:
    """Return the entries of a crontab; one for the system (`is_system`) has the name of a user before each command.

    `time_zone` is the zone of lines above which no CRON_TZ stands; without it they have none.
    """
    # Whatever the bytes are meant to be: a command is only shown, and compared with patterns.
    text = content.decode("utf-8-sig", errors="replace")
    crontab, entries = _Crontab(is_system, time_zone), []
    # Only these end a line to cron; str.splitlines() knows more.
    for number, line in enumerate(re.split(r"\r?\n", text), start=1):
        content_of_line = line.strip()
        if content_of_line and not content_of_line.startswith("#"):
            found = _read(f"line {number}", content_of_line, crontab)
            entries += [] if found is None else [found]
    return Reading(tuple(entries), tuple(crontab.summary()))


def _read(place: str, line: str, crontab: _Crontab) -> Entry | None:
    if variable := _VARIABLE.fullmatch(line):
        name = variable["double"] or variable["single"] or variable["bare"] or ""
        return crontab.assign(place, name, _unquoted(variable["value"].strip()))
    # Debian and SUSE: nothing of it is to be logged.
    line = line.removeprefix("-")
    fields = 1 if line.startswith("@") else 5
    schedule, command = _split(line, fields)
    user = ""
    if crontab.is_system:
        user, _space, command = command.partition(" ")
    if not command.strip():
        return _unreadable(place, line, _TOO_SHORT)
    if schedule.lower() == "@reboot":
        return _entry(place, command, {}, problem=_REBOOT)
    try:
        parse_schedule(schedule)
    except InvalidSchedule as error:
        return _unreadable(place, line, str(error))
    columns = {"schedule": schedule, **({} if crontab.time_zone is None else {"time_zone": crontab.time_zone})}
    notes = (f"It ran as {user}; a job runs as whoever runs the node.",) if user else ()
    return _entry(place, command, columns, notes=notes)


def _split(line: str, fields: int) -> tuple[str, str]:
    """Return the schedule, its fields one space apart, and what follows."""
    parts = line.split(None, fields)
    rest = " ".join(parts[fields:])
    return " ".join(parts[:fields]), re.sub(r"^(\S+)\s+", r"\1 ", rest)


def _entry(place: str, line: str, columns: dict[str, Any], *, notes: tuple[str, ...] = (), problem: str = "") -> Entry:
    line, *given = _PERCENT.split(line.strip(), maxsplit=1)
    command = line.replace(r"\%", "%").strip()
    found = read_command(command)
    params = {} if found.params is None else {"params": found.params}
    return Entry(
        place=place,
        name=found.runs or ", ".join(filter(None, found.programs)) or next(iter(command.split()), ""),
        runs=found.runs,
        handles=(command,),
        columns={**columns, **params} if columns else {},
        notes=(*notes, *found.notes),
        problem=problem or (_INPUT if given else found.problem),
        only_by_rule=found.only_by_rule,
        apart=found.apart,
        is_management=found.params is not None,
    )


def _unreadable(place: str, line: str, problem: str) -> Entry:
    return Entry(place=place, name=line, runs="", problem=problem, is_unreadable=True)


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value
