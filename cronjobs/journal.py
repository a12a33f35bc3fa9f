"""Who changed what, from which value to which: in the record that the admin keeps and shows, and in the security log.

Whatever changes a row for somebody, by a form, a button, a request or a command, records it here. In
the admin's record only names and data are stored: Django makes sentences of them, in the language of
whoever reads. Somebody in a shell is no user of Django's: he is in the security log only.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.apps import apps
from django.db.models import Model
from django.utils.translation import override

from cronjobs import security
from cronjobs.addresses import hidden_address
from cronjobs.conf import get_settings
from cronjobs.database import engine_alias
from cronjobs.models import ApiKey, Job, JobExecution, Node, Queue
from cronjobs.models.job import PLAN_COLUMNS
from cronjobs.security import Actor, Event
from cronjobs.storable import bounded_json, rfc3339, storable_text

# As django.contrib.admin.models has them, which cannot be imported where the admin is not installed.
_ADDITION: Final = 1
_CHANGE: Final = 2
_DELETION: Final = 3

# Of either value of one column.
LONGEST: Final = 1_000

# What Django's admin stores and reads; it passes over the values.
Message = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Change:
    """What became of a row: the columns that have changed, with what they held and what they hold now."""

    row: Model
    before: Mapping[str, Any]
    after: Mapping[str, Any]

    def without_what_stayed(self) -> Change:
        """Return the same without the columns that hold what they held."""
        after = {column: value for column, value in self.after.items() if value != self.before.get(column)}
        return Change(self.row, {column: self.before.get(column) for column in after}, after)


def changed(row: Model, before: Mapping[str, Any]) -> Change:
    """Return the change of `row`, which held these values, and now holds its own."""
    return Change(row, before, {column: getattr(row, column) for column in before})


def record_changes(actor: Actor, changes: Iterable[Change]) -> None:
    """Record that `actor` has made these changes, in as few statements as their messages differ."""
    rows: defaultdict[str, list[Model]] = defaultdict(list)
    for each in changes:
        if each.after:
            message = change_message(each)
            rows[json.dumps(message)].append(each.row)
            tell_of_change(actor, each.row, message)
    for message_text, alike in rows.items():
        _record(actor, alike, _CHANGE, message_text)


def record_addition(actor: Actor, row: Model) -> None:
    """Record that `actor` has made `row`."""
    _record(actor, [row], _ADDITION, json.dumps([{"added": {}}]))
    tell_of_addition(actor, row)


def record_execution(actor: Actor, row: Model, execution: JobExecution) -> None:
    """Record that `actor` has had `execution` added to what `row` stands for: a job, or one that is run again."""
    with override(None):
        kind = str(execution._meta.verbose_name)  # noqa: SLF001 - Django's documented API
    _record(actor, [row], _CHANGE, json.dumps([{"added": {"name": kind, "object": str(execution)}}]))
    tell_of_execution(actor, row, execution)


def record_deletion(actor: Actor, row: Model) -> None:
    """Record that `actor` is about to delete `row`."""
    _record(actor, [row], _DELETION, "")
    tell_of_deletion(actor, row)


def tell_of_execution(actor: Actor, row: Model, execution: JobExecution) -> None:
    """Tell the security log what `record_execution` records, and leave no row: the execution itself has who wanted it."""
    event = Event.EXECUTION_RETRIED if isinstance(row, JobExecution) else Event.EXECUTION_REQUESTED
    _tell(event, actor, row, execution=str(execution))


def tell_of_cancellation(actor: Actor, executions: Iterable[JobExecution]) -> None:
    """Tell the security log that `actor` has called these executions off; their rows have it."""
    for each in executions:
        _tell(Event.EXECUTION_CANCELLED, actor, each)


def tell_of_rotation(actor: Actor, old: ApiKey, new: ApiKey) -> None:
    """Tell the security log that `actor` has put the key `new` in the place of `old`."""
    _tell(Event.KEY_ROTATED, actor, old, by=new.label, **_limits(new))


def tell_of_addition(actor: Actor, row: Model) -> None:
    """Tell the security log that `actor` has made `row`, if that is one of those that it is about."""
    if isinstance(row, ApiKey):
        _tell(Event.KEY_CREATED, actor, row, **_limits(row))
    else:
        _tell_of(row, "created", actor)


def tell_of_change(actor: Actor, row: Model, message: Message) -> None:
    """Tell the security log what a message, as the admin's record has it, says that `actor` has changed of `row`."""
    for each in message:
        facts = each.get("changed", {})
        values, fields = facts.get("values", {}), facts.get("fields", [])
        if isinstance(row, JobExecution):
            tell_of_cancellation(actor, [row])
        elif event := _event_of(row, values):
            # Of a node and a key the event says it all.
            _tell(event, actor, row, **({"changes": values} if isinstance(row, Job | Queue) else {}))
        elif values:
            _tell_of(row, "changed", actor, changes=values)
        elif fields:
            _tell_of(row, "changed", actor, fields=fields)


def tell_of_deletion(actor: Actor, row: Model) -> None:
    """Tell the security log that `actor` is about to delete `row`, if that is one of those that it is about."""
    _tell_of(row, "deleted", actor)


def change_message(change: Change) -> Message:
    """Return what is stored of a change: Django's names of its columns and, by column, both values.

    The values are JSON data, masked, and cut where they are long. No columns, no message.
    """
    if not change.after:
        return []
    with override(None):
        # Translated when somebody reads it, as Django's own.
        names = [str(change.row._meta.get_field(each).verbose_name) for each in change.after]  # type: ignore[union-attr]  # noqa: SLF001 - columns; Django's documented API
    values = {
        column: [_storable(column, values.get(column)) for values in (change.before, change.after)]
        for column in sorted(change.after)
    }
    return [{"changed": {"fields": names, "values": values}}]


def _storable(column: str, value: Any) -> Any:
    # Whoever knows all of it can report what never happened.
    return storable(hidden_address(value) if column == "ping_url" and value else value)


def storable(value: Any) -> Any:
    """Return a column's value as JSON data: masked, and cut where it is long."""
    mask = get_settings().mask
    if isinstance(value, str | Model):
        return storable_text(value, max_bytes=LONGEST, mask=mask)
    shown, _ = bounded_json(value, max_bytes=LONGEST, mask=mask)
    return shown


def _record(actor: Actor, rows: Sequence[Model], flag: int, message: str) -> None:
    if actor.user_id is None or not apps.is_installed("django.contrib.admin"):
        return
    from django.contrib.admin.models import LogEntry

    LogEntry.objects.log_actions(actor.user_id, rows, flag, message)


def _event_of(row: Model, values: Mapping[str, Any]) -> Event | None:
    """Return what a change of these columns is called, where it is more than a change."""
    now = {column: pair[1] for column, pair in values.items()}
    if isinstance(row, Job):
        return _event_of_job(now)
    if isinstance(row, Queue) and now.keys() == {"paused"}:
        return _QUEUE_EVENTS[row.is_everything, bool(now["paused"])]
    if isinstance(row, Node) and "drain_requested_at" in now:
        return Event.NODE_UNDRAINED if now["drain_requested_at"] is None else Event.NODE_DRAINED
    return Event.KEY_REVOKED if isinstance(row, ApiKey) and now.get("revoked_at") else None


def _event_of_job(now: Mapping[str, Any]) -> Event | None:
    if not now:
        return None
    if now.keys() <= {"paused", "paused_until"}:
        return Event.JOB_PAUSED if now.get("paused", True) else Event.JOB_RESUMED
    if now.keys() == {"enabled"}:
        return Event.JOB_ENABLED if now["enabled"] else Event.JOB_DISABLED
    return Event.JOB_RESCHEDULED if now.keys() & {*PLAN_COLUMNS, "calendar_id"} else Event.JOB_CHANGED


_QUEUE_EVENTS: Final = {
    (False, True): Event.QUEUE_PAUSED,
    (False, False): Event.QUEUE_RESUMED,
    (True, True): Event.EVERYTHING_PAUSED,
    (True, False): Event.EVERYTHING_RESUMED,
}
_KINDS: Final = {"job": "job", "calendar": "calendar", "queue": "queue", "apikey": "key"}


def _tell_of(row: Model, what: str, actor: Actor, **details: Any) -> None:
    """Tell that a row was created, changed or deleted; nothing of those that the security log is not about."""
    name = f"{_KINDS.get(str(row._meta.model_name), '')}.{what}"  # noqa: SLF001 - Django's documented API
    event = next((each for each in Event if each == name), None)
    if event is not None:
        _tell(event, actor, row, **details)


def _limits(key: ApiKey) -> dict[str, Any]:
    return {
        "user": key.user.get_username(),
        "actions": sorted(key.allowed),
        "jobs": sorted(key.reach or ()),
        "expires": None if key.expires_at is None else rfc3339(key.expires_at),
    }


def _tell(event: Event, actor: Actor, row: Model, **details: Any) -> None:
    # Of a key its text is made of the name as well: the part that is no secret finds it in all logs.
    target = row.label if isinstance(row, ApiKey) else row
    security.tell(event, actor, target=target, details=details, using=engine_alias(type(row)))
