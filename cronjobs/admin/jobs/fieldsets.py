"""How the columns of a job are grouped on its page, and what each group is about."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.utils.translation import gettext_lazy

_IDENTITY = ("name", "definition", "description", "owner")
STATE = ("shown_condition", "shown_next_run", "shown_order", "shown_created_at", "shown_updated_at")
READ_ONLY = (*STATE, "shown_set_here", "shown_params", "shown_effective")

_ABOUT: tuple[Any, ...] = (None, {"fields": _IDENTITY})
_STATE: tuple[Any, ...] = (gettext_lazy("State"), {"fields": (*STATE, "shown_set_here")})
_ALWAYS_OPEN: tuple[Any, ...] = (
    (
        gettext_lazy("When"),
        {
            "fields": (
                ("schedule", "on_demand"),
                "time_zone",
                "enabled",
                ("paused", "paused_until"),
                ("starts_at", "ends_at"),
                "calendar",
                "jitter",
            ),
            "description": gettext_lazy(
                "A changed, enabled or resumed job starts from now: what was due before is not made up for."
            ),
        },
    ),
    (
        gettext_lazy("With what"),
        {
            "fields": ("params",),
            "description": gettext_lazy("What the function is called with; executions that wait keep what they have."),
        },
    ),
)
# Columns that may all be left empty.
_POLICIES: tuple[tuple[Any, Any, tuple[str, ...]], ...] = (
    (
        gettext_lazy("Late or overlapping"),
        gettext_lazy(
            "What becomes of a due time that no node served in time, or that comes while an earlier execution is open."
        ),
        ("misfire_grace", "catch_up", "overlap", "max_instances"),
    ),
    (
        gettext_lazy("Retries"),
        gettext_lazy("How often an execution that failed is tried again, and after what waits."),
        ("max_attempts", "initial_delay", "max_delay", "backoff_multiplier", "rerun_lost"),
    ),
    (
        gettext_lazy("Queue"),
        gettext_lazy("Where executions wait, which of them goes first, and how often one may start."),
        ("queue", "priority", "rate_limit"),
    ),
    (
        gettext_lazy("Limits"),
        gettext_lazy("Where it runs, and how much it may take of time and memory."),
        ("executor", "timeout", "memory_limit", "cpu_limit"),
    ),
    (
        gettext_lazy("Dependencies"),
        gettext_lazy("A job may run after others, with or without a schedule of its own."),
        ("depends_on",),
    ),
    (
        gettext_lazy("Alerts"),
        gettext_lazy("Of what, whom and when people are told; each message is sent once per change, not per failure."),
        (
            "alert_on",
            "alert_to",
            "alert_after",
            "late_after",
            "expected_duration",
            "no_success_after",
            "ping_url",
            "runbook_url",
        ),
    ),
)
# What somebody sees who may not change it: values as they take effect, secrets masked.
TO_LOOK_AT: tuple[Any, ...] = (
    _ABOUT,
    (gettext_lazy("State"), {"fields": STATE}),
    (
        gettext_lazy("Effective values"),
        {"fields": ("shown_params", "starts_at", "ends_at", "calendar", "shown_effective")},
    ),
)


def to_edit(*, is_new: bool, set_here: Collection[str]) -> tuple[Any, ...]:
    """Return the groups of the form; those in which the job itself sets nothing are folded up."""
    policies = (
        (
            title,
            {
                "fields": columns,
                "description": about,
                "classes": ("collapse",) if set(columns).isdisjoint(set_here) else (),
            },
        )
        for title, about, columns in _POLICIES
    )
    # A new job has no state yet.
    return (_ABOUT, *(() if is_new else (_STATE,)), *_ALWAYS_OPEN, *policies)
