"""Who changed what, in the record that the admin keeps and shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from django.apps import apps
from django.db.models import Model
from django.utils.translation import override
from rest_framework.request import Request

# As django.contrib.admin.models has them, which cannot be imported where the admin is not installed.
_ADDITION: Final = 1
_CHANGE: Final = 2
_DELETION: Final = 3


def record_addition(request: Request, row: Model) -> None:
    """Record that the request's user has made `row`."""
    _record(request, [row], _ADDITION, [{"added": {}}])


def record_change(request: Request, rows: Sequence[Model], columns: Sequence[str]) -> None:
    """Record that the request's user has changed these columns of `rows`, which are of one model."""
    if rows and columns:
        with override(None):
            # Translated when somebody reads it, as Django's own.
            names = [str(rows[0]._meta.get_field(each).verbose_name) for each in columns]  # type: ignore[union-attr]  # noqa: SLF001 - columns; Django's documented API
        _record(request, rows, _CHANGE, [{"changed": {"fields": names}}])


def record_deletion(request: Request, row: Model) -> None:
    """Record that the request's user is about to delete `row`."""
    _record(request, [row], _DELETION, "")


def _record(request: Request, rows: Sequence[Model], flag: int, message: Any) -> None:
    if not apps.is_installed("django.contrib.admin"):
        return
    from django.contrib.admin.models import LogEntry

    LogEntry.objects.log_actions(request.user.pk, rows, flag, message)  # type: ignore[arg-type]  # a user who was let in
