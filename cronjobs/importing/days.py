"""The two day fields of a cron expression, which some schedulers join in another way than cron."""

from __future__ import annotations

_WEEKS = {frozenset(range(first, first + 7)): nth for nth, first in enumerate((1, 8, 15, 22), start=1)}


def are_joined_by_or(day_of_month: str, day_of_week: str) -> bool:
    """Return whether cron runs on days that match either field: unless one of them begins with a star."""
    return not (day_of_month.startswith("*") or day_of_week.startswith("*"))


def both_wanted(scheduler: str, day_of_month: str, day_of_week: str) -> str:
    """Return the sentence that refuses such fields of a `scheduler` that wants both to match."""
    return (
        f"{scheduler} runs it on days that match both the day of the month ({day_of_month}) and the day of the week "
        f"({day_of_week}); cron would run it on days that match either."
    )


def nth_weekday(days_of_month: frozenset[int], days_of_week: frozenset[int]) -> str:
    """Return the day-of-week field that says the same as both, if they mean one weekday of one week, such as ``1#2``."""
    nth = _WEEKS.get(days_of_month)
    return f"{min(days_of_week)}#{nth}" if nth and len(days_of_week) == 1 else ""
