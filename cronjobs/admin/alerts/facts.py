"""What an alert's facts say; SQL may have written anything in their place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.html import format_html
from django.utils.translation import gettext as _

from cronjobs.addresses import parse_address
from cronjobs.admin import rendering
from cronjobs.database import readable_time
from cronjobs.exceptions import InvalidAddress
from cronjobs.models import Alert
from cronjobs.storable import storable_text


def text(alert: Alert, name: str) -> str:
    """Return a fact as text; empty where there is none."""
    value = _all(alert).get(name)
    return "" if value is None else storable_text(value)


def error(alert: Alert) -> str:
    """Return the type of the error, and what it says."""
    return ": ".join(filter(None, (text(alert, "error_type"), text(alert, "error_message"))))


def table(alert: Alert) -> Iterator[tuple[str, str]]:
    """Yield what else is known, with its name."""
    attempts = " / ".join(filter(None, (text(alert, "attempt"), text(alert, "max_attempts"))))
    every = (
        (_("Owner"), text(alert, "owner")),
        (_("Runbook"), _link(text(alert, "runbook_url"))),
        (_("Since"), _moment(alert, "since")),
        (_("Attempt"), attempts),
        (_("Node"), text(alert, "node")),
        (_("Due"), _moment(alert, "due_at")),
        (_("Started"), _moment(alert, "started_at")),
        (_("Finished"), _moment(alert, "finished_at")),
    )
    yield from ((name, value) for name, value in every if value)


def _moment(alert: Alert, name: str) -> str:
    moment = readable_time(text(alert, name))
    return "" if moment is None else rendering.moment(moment)


def _link(address: str) -> str:
    try:
        return format_html('<a href="{0}" rel="noreferrer">{0}</a>', parse_address(address)) if address else ""
    except InvalidAddress:
        return address


def log(alert: Alert) -> str:
    """Return the last log lines, one below the other."""
    found = _all(alert).get("log_lines")
    lines = [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []
    return "\n".join(_line(each) for each in lines)


def _line(line: Mapping[str, Any]) -> str:
    return " ".join(storable_text(line[name]) for name in ("time", "level", "message") if line.get(name))


def _all(alert: Alert) -> Mapping[str, Any]:
    return alert.facts if isinstance(alert.facts, Mapping) else {}
