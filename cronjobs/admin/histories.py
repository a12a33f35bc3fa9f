"""What has been changed of a row, from which value to which, as its history shows it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.admin.models import LogEntry
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.utils.dateparse import parse_datetime
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from cronjobs.admin import rendering
from cronjobs.masking import MASKED


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownChange:
    """A column that was changed. `is_hidden`: both values are masked, and look the same."""

    label: str
    before: str
    after: str
    is_hidden: bool


def shown_changes(entry: LogEntry, model: type[models.Model]) -> list[ShownChange]:
    """Return the changes that an entry tells of; none if it is of another kind, or was written by others."""
    return [
        ShownChange(
            label=capfirst(str(field.verbose_name)),
            before=shown_value(field, before),
            after=shown_value(field, after),
            is_hidden=before == after and MASKED in json.dumps(after),
        )
        for field, before, after in _values(entry, model)
    ]


def _values(entry: LogEntry, model: type[models.Model]) -> Iterator[tuple[models.Field[Any, Any], Any, Any]]:
    try:
        message = json.loads(entry.change_message)
    except ValueError:
        return
    for part in message if isinstance(message, list) else []:
        # Django's own parts have no values.
        values = part.get("changed", {}).get("values", {})
        for column, (before, after) in values.items():
            try:
                yield model._meta.get_field(column), before, after  # type: ignore[misc]  # noqa: SLF001 - a column; Django's documented API
            except FieldDoesNotExist:
                # It was a column once.
                continue


def shown_value(field: models.Field[Any, Any], value: Any) -> str:
    """Return what a column held, as `journal.storable` has stored it, for a person to read."""
    if value is None:
        # Of what may inherit, NULL says that it does; of other columns, that there is none.
        return rendering.quiet(_("not set"))
    if value == "":
        return rendering.quiet(_("on demand only") if field.name == "schedule" else _("empty"))
    if isinstance(value, Mapping):
        return rendering.code(str(value.get("text"))) if value.get("truncated") is True else _data(value)
    return _data(value) if isinstance(value, list) else _scalar(field, value)


def _scalar(field: models.Field[Any, Any], value: Any) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(field, models.DateTimeField):
        at = parse_datetime(str(value))
        return str(value) if at is None else rendering.moment(at)
    if isinstance(field, models.DurationField) and isinstance(value, int | float):
        return rendering.duration(timedelta(seconds=value))
    if field.name == "memory_limit" and isinstance(value, int):
        return rendering.memory(value)
    labels: Mapping[Any, Any] = dict(field.flatchoices)
    return str(labels[value]) if value in labels else rendering.code(str(value))


def _data(value: Any) -> str:
    return rendering.compact_json(value)
