"""Buttons, actions and pages that ask, as somebody uses them, and what has come of it."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from cronjobs.models import JobExecution
from tests.integration.admin.pages import EXECUTIONS, messages_of

CANCEL_SEVERAL = f"{EXECUTIONS}cancel/"


def url_of(verb: str, execution: JobExecution) -> str:
    """Return the address that cancels an execution, or runs it again."""
    return reverse(f"admin:cronjobs_jobexecution_{verb}", args=[execution.pk])


def press(client: Client, verb: str, execution: JobExecution, **data: Any) -> list[str]:
    """Press a button, and return the messages."""
    return messages_of(client.post(url_of(verb, execution), data, follow=True))


def act(client: Client, action: str, *executions: JobExecution, **data: Any) -> list[str]:
    """Perform an action in the list, and return the messages."""
    data = {"action": action, "index": 0, "_selected_action": [each.pk for each in executions], **data}
    return messages_of(client.post(EXECUTIONS, data, follow=True))


def ask(client: Client, *executions: JobExecution, query: str = "", **data: Any) -> Any:
    """Choose to cancel executions in the list, and return the page that asks."""
    data = {"action": "cancel_selected", "index": 0, "_selected_action": [each.pk for each in executions], **data}
    return client.post(f"{EXECUTIONS}{query}", data)


def confirm_raw(client: Client, page: Any, reason: str = "") -> Any:
    """Answer the page that asks, and return what comes then."""
    return client.post(page.context["action_url"], {"ids": page.context["ids"], "reason": reason}, follow=True)


def confirm(client: Client, page: Any, **data: Any) -> list[str]:
    """Answer the page that asks, and return the messages."""
    return messages_of(confirm_raw(client, page, **data))


def state() -> list[Any]:
    """Return every execution as the database has it."""
    return list(JobExecution.objects.order_by("pk").values())


def entries() -> list[tuple[str, str | None, str]]:
    """Return what the admin has written down: who did what to which execution, oldest first."""
    rows = LogEntry.objects.select_related("user").order_by("pk")
    return [(each.user.get_username(), each.object_id, each.get_change_message()) for each in rows]
