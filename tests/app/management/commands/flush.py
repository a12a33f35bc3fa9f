"""Django's `flush`, with which a test's rows are removed, begun again when a node that outlives the test was in the way."""

from __future__ import annotations

from typing import Any

from django.core.management import CommandError
from django.core.management.commands import flush
from django.db import OperationalError

from cronjobs.database import is_conflict

_ATTEMPTS = 5


class Command(flush.Command):
    """Empties all tables, which locks them one by one: a deadlock, where somebody writes meanwhile, is to be expected."""

    def handle(self, **options: Any) -> None:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return super().handle(**options)
            except (CommandError, OperationalError) as error:
                reason = error.__cause__ if isinstance(error, CommandError) else error
                if attempt == _ATTEMPTS or reason is None or not is_conflict(reason):
                    raise
        raise AssertionError("unreachable")
