"""Who changed what, from which value to which, in the record that the admin keeps and shows.

Whatever changes a row for somebody, by a form, a button or a request, records it here. Only names
and data are stored: Django makes sentences of them, in the language of whoever reads.
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

from cronjobs.addresses import hidden_address
from cronjobs.conf import get_settings
from cronjobs.storable import bounded_json, storable_text

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


def record_changes(user_id: Any, changes: Iterable[Change]) -> None:
    """Record that a user has made these changes, in as few statements as their messages differ."""
    rows: defaultdict[str, list[Model]] = defaultdict(list)
    for each in changes:
        if each.after:
            rows[json.dumps(change_message(each))].append(each.row)
    for message, alike in rows.items():
        _record(user_id, alike, _CHANGE, message)


def record_addition(user_id: Any, row: Model) -> None:
    """Record that a user has made `row`."""
    _record(user_id, [row], _ADDITION, json.dumps([{"added": {}}]))


def record_execution(user_id: Any, row: Model, execution: Model) -> None:
    """Record that a user has had `execution` added to what `row` stands for: a job, or one that is run again."""
    with override(None):
        kind = str(execution._meta.verbose_name)  # noqa: SLF001 - Django's documented API
    _record(user_id, [row], _CHANGE, json.dumps([{"added": {"name": kind, "object": str(execution)}}]))


def record_deletion(user_id: Any, row: Model) -> None:
    """Record that a user is about to delete `row`."""
    _record(user_id, [row], _DELETION, "")


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


def _record(user_id: Any, rows: Sequence[Model], flag: int, message: str) -> None:
    if not apps.is_installed("django.contrib.admin"):
        return
    from django.contrib.admin.models import LogEntry

    LogEntry.objects.log_actions(user_id, rows, flag, message)
