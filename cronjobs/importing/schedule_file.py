"""A JavaScript or JSON file that maps names to cron expressions, as entries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from cronjobs.exceptions import InvalidSchedule
from cronjobs.importing.days import are_joined_by_or, both_wanted
from cronjobs.importing.entries import Entry, Reading, Unreadable
from cronjobs.importing.literals import Member, Number, Object, Odd, objects_in
from cronjobs.schedules import parse_schedule, parse_time_zone

# What the keys of an object that describes one job are called, by those who write such files.
_SCHEDULE: Final = frozenset({"schedule", "cron", "crontime", "cronexpression", "expression", "pattern"})
_ZONE: Final = frozenset({"timezone", "tz"})
_ENABLED: Final = frozenset({"enabled", "active"})
_DISABLED: Final = frozenset({"disabled"})
_DESCRIPTION: Final = frozenset({"description"})
_NO_LITERAL = "It is no plain literal, and the file is not run to find out."
_OFF = "It is turned off there."
_NOT_NODE_CRON = "@"


class _Mistake(ValueError):
    """Why an entry can become no job."""


def read_schedule_file(content: bytes, *, time_zone: str | None = None) -> Reading:
    """Return the entries of the object literals in a file; raise `Unreadable` if nothing can be made of it.

    A key is a name, and its value an expression, or an object with the keys ``schedule`` (or ``cron``), ``timezone``
    and ``enabled``; an object of others is a group of entries. `time_zone` is the zone of those that name none.
    """
    source = content.decode("utf-8-sig", errors="replace")
    objects = objects_in(source)
    if not objects:
        raise Unreadable("There is no object in it that maps names to schedules.")
    return Reading(tuple(entry for each in objects for entry in _entries(each, time_zone)))


def _entries(group: Object, zone: str | Member | None) -> Iterator[Entry]:
    """Yield what is in a group; a zone that is no literal is given as its member, and makes what names none impossible."""
    # An object of that name is an entry, or a group.
    named = next(
        (each for each in group.members if _is_among(each, _ZONE) and not isinstance(each.value, Object)), None
    )
    if named is not None:
        zone = named.value if isinstance(named.value, str) else named
    # As JavaScript reads it: of two that are called alike the later one counts.
    latest = {each.key: each for each in group.members}
    for each in group.members:
        if latest[each.key] is not each:
            yield _refused(each, f"Line {latest[each.key].line} has the same name again, and counts.")
        elif each is not named:
            yield from _of_member(each, zone)


def _of_member(member: Member, zone: str | Member | None) -> Iterator[Entry]:
    value = member.value
    if isinstance(value, Object) and not any(_is_among(each, _SCHEDULE) for each in value.members):
        yield from _entries(value, zone)
        return
    try:
        yield _entry(member, zone)
    except _Mistake as mistake:
        yield _refused(member, str(mistake))


def _entry(member: Member, zone: str | Member | None) -> Entry:
    notes: tuple[str, ...] = ()
    columns: dict[str, Any] = {"time_zone": zone} if isinstance(zone, str) else {}
    value = member.value
    if isinstance(value, Object):
        facts = {each.key: each for each in value.members}
        columns = {**columns, **_columns(facts)}
        left = [each.key for each in facts.values() if not _is_among(each, _KNOWN)]
        notes = (f"Left out: {', '.join(left)}.",) if left else ()
    else:
        columns = {**columns, "schedule": _expression(value)}
    if isinstance(zone, Member) and "time_zone" not in columns:
        raise _Mistake(f"The {zone.key} of its group, on line {zone.line}, is no plain text.")
    _check(columns)
    return Entry(place=_place(member), name=member.key, runs=member.key, columns=columns, notes=notes)


def _columns(facts: Mapping[str, Member]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for each in facts.values():
        if isinstance(each.value, Odd) and _is_among(each, _KNOWN):
            raise _Mistake(f"Its {each.key}, on line {each.line}, is no plain literal.")
        if _is_among(each, _SCHEDULE):
            columns["schedule"] = _expression(each.value)
        elif _is_among(each, _ZONE):
            columns["time_zone"] = _text(each)
        elif _is_among(each, _ENABLED):
            columns["enabled"] = _flag(each)
        elif _is_among(each, _DISABLED):
            columns["enabled"] = not _flag(each)
        elif _is_among(each, _DESCRIPTION):
            columns["description"] = _text(each)
    return columns


def _expression(value: object) -> str:
    if isinstance(value, Odd):
        raise _Mistake(_NO_LITERAL)
    if value is None or value is False:
        raise _Mistake(_OFF)
    if not isinstance(value, str):
        shown = value.text if isinstance(value, Number) else "true"
        raise _Mistake(f"{shown} is no schedule.")
    return " ".join(value.split())


def _flag(member: Member) -> bool:
    if not isinstance(member.value, bool):
        raise _Mistake(f"Its {member.key}, on line {member.line}, is neither true nor false.")
    return member.value


def _text(member: Member) -> str:
    if not isinstance(member.value, str):
        raise _Mistake(f"Its {member.key}, on line {member.line}, is no text.")
    return member.value


def _check(columns: Mapping[str, Any]) -> None:
    expression = columns["schedule"]
    try:
        parse_schedule(expression)
        if columns.get("time_zone"):
            parse_time_zone(columns["time_zone"])
    except InvalidSchedule as error:
        raise _Mistake(str(error)) from error
    if not expression.startswith(_NOT_NODE_CRON):
        *_others, day, _month, weekday = expression.split()
        if are_joined_by_or(day, weekday):
            raise _Mistake(both_wanted("node-cron", day, weekday))


_KNOWN: Final = _SCHEDULE | _ZONE | _ENABLED | _DISABLED | _DESCRIPTION


def _is_among(member: Member, keys: frozenset[str]) -> bool:
    return member.key.replace("_", "").replace("-", "").lower() in keys


def _place(member: Member) -> str:
    return f"line {member.line}"


def _refused(member: Member, problem: str) -> Entry:
    return Entry(place=_place(member), name=member.key, runs=member.key, problem=problem)
