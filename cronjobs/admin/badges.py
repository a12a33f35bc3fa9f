"""Small coloured labels: the one place that says which colour a state has."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from cronjobs.models import JobExecution
from cronjobs.models.choices import KeyState, NodeStatus
from cronjobs.states import ExecutionStatus


class Tone(StrEnum):
    """What a colour means; the style sheet has one rule for each."""

    # It went well.
    GOOD = "good"
    # Somebody should look at it.
    BAD = "bad"
    # It may be all right, but it is not as planned.
    ODD = "odd"
    # It is happening now.
    BUSY = "busy"
    # Nothing to see.
    QUIET = "quiet"


STATUS_TONES: Mapping[ExecutionStatus, Tone] = {
    ExecutionStatus.QUEUED: Tone.QUIET,
    ExecutionStatus.RUNNING: Tone.BUSY,
    ExecutionStatus.SUCCEEDED: Tone.GOOD,
    ExecutionStatus.FAILED: Tone.BAD,
    ExecutionStatus.TIMED_OUT: Tone.BAD,
    ExecutionStatus.CANCELLED: Tone.QUIET,
    ExecutionStatus.LOST: Tone.BAD,
    ExecutionStatus.SKIPPED: Tone.QUIET,
    ExecutionStatus.MISSED: Tone.ODD,
}

KEY_TONES: Mapping[KeyState, Tone] = {
    KeyState.GOOD: Tone.GOOD,
    KeyState.REVOKED: Tone.QUIET,
    KeyState.EXPIRED: Tone.ODD,
    KeyState.USER_INACTIVE: Tone.ODD,
}


NODE_TONES: Mapping[NodeStatus, Tone] = {
    NodeStatus.ALIVE: Tone.GOOD,
    NodeStatus.DRAINING: Tone.ODD,
    NodeStatus.SILENT: Tone.BAD,
    NodeStatus.STOPPED: Tone.QUIET,
}


def badge(text: object, tone: Tone, *, title: str = "") -> SafeString:
    """Return `text` as a label; `title` is shown while the pointer rests on it."""
    tooltip = format_html(' title="{}"', title) if title else ""
    return format_html('<span class="cron-badge cron-{}"{}>{}</span>', tone, tooltip, text)


def status_badge(status: str) -> SafeString:
    """Return the label of an execution's or an attempt's status."""
    try:
        known = ExecutionStatus(status)
    except ValueError:
        # Written by a newer version, or by hand.
        return badge(status or gettext("Unknown"), Tone.ODD)
    return badge(known.label, STATUS_TONES[known])


def status_tone(status: str) -> Tone:
    """Return the tone of an execution's status, known or not."""
    return {str(known): tone for known, tone in STATUS_TONES.items()}.get(status, Tone.ODD)


def key_badge(state: KeyState) -> SafeString:
    """Return the label of the state that a key of the API is in."""
    return badge(state.label, KEY_TONES[state])


def node_badge(state: str) -> SafeString:
    """Return the label of the state that a node, or a Celery worker, is in."""
    known = NodeStatus(state)
    is_silent = known == NodeStatus.SILENT
    title = gettext("It fell silent without saying that it stops.") if is_silent else ""
    return badge(known.label, NODE_TONES[known], title=title)


def overrun_badge(execution: JobExecution, *, now: datetime) -> SafeString:
    """Return the label of an execution that runs longer than its timeout; of any other, nothing."""
    if not execution.is_overrunning(now):
        return SafeString("")
    return badge(gettext("Overrunning"), Tone.ODD, title=gettext("It has taken longer than its timeout."))


def stop_badge(execution: JobExecution) -> SafeString:
    """Return the label of an execution that runs and has been asked to stop; of any other, nothing."""
    if execution.status != ExecutionStatus.RUNNING or execution.cancel_requested_at is None:
        return SafeString("")
    return badge(gettext("Asked to stop"), Tone.ODD, title=execution.cancel_reason)
