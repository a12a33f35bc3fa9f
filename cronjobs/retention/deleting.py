"""How rows of the history are named in statements, and deleted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from django.db.models import Q, QuerySet

# With more of them a list is understood sooner.
_MOST_RUNS: Final = 40


def among(column: str, ids: Sequence[int]) -> Q:
    """Return the condition that a column is one of these ascending ids.

    Executions that are as old as each other are mostly neighbours: one range is understood, by Django, the driver
    and the server, a hundred times sooner than a list of all of them.
    """
    found = runs(ids)
    if not 0 < len(found) <= _MOST_RUNS:
        return Q(**{f"{column}__in": ids})
    condition = Q()
    for first, last in found:
        condition |= Q(**{f"{column}__gte": first, f"{column}__lte": last})
    return condition


def runs(ids: Sequence[int]) -> list[tuple[int, int]]:
    """Return the first and the last of each run of neighbours among ascending ids."""
    found: list[tuple[int, int]] = []
    for each in ids:
        if found and found[-1][1] == each - 1:
            found[-1] = (found[-1][0], each)
        else:
            found.append((each, each))
    return found


def delete_rows(rows: QuerySet[Any]) -> int:
    """Delete in one statement, loading nothing and telling nobody; return how many there were."""
    return int(rows._raw_delete(rows.db) or 0)  # noqa: SLF001 - the public one reads what hangs on each row
