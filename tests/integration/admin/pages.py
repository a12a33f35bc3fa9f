"""Addresses of pages, and what can be read on them."""

from __future__ import annotations

import html
import re
from typing import Any

from django.test import Client
from django.urls import reverse

DASHBOARD = "/admin/cronjobs/dashboard/"
EXECUTIONS = "/admin/cronjobs/jobexecution/"
JOBS = "/admin/cronjobs/job/"
NODES = "/admin/cronjobs/node/"
WORKERS = "/admin/cronjobs/celeryworker/"
CALENDARS = "/admin/cronjobs/calendar/"
QUEUES = "/admin/cronjobs/queue/"
KEYS = "/admin/cronjobs/apikey/"
AUDIT = "/admin/cronjobs/auditentry/"
ALERTS = "/admin/cronjobs/alert/"


def change_url(row: Any) -> str:
    """Return the address of a row's page."""
    return reverse(f"admin:cronjobs_{row._meta.model_name}_change", args=[row.pk])


def run_url(job: Any) -> str:
    """Return the address that runs a job."""
    return reverse("admin:cronjobs_job_run", args=[job.pk])


def switch_url(job: Any, name: str) -> str:
    """Return the address that pauses, resumes, enables or disables a job."""
    return reverse(f"admin:cronjobs_job_{name}", args=[job.pk])


def get(client: Client, url: str, **params: Any) -> str:
    """Return a page's source; it must be there."""
    response = client.get(url, params)
    assert response.status_code == 200, response
    return response.content.decode()


def text_of(source: str) -> str:
    """Return what a person reads of a page, in one line."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", source)).split())


def messages_of(response: Any) -> list[str]:
    """Return the messages on the page that a response leads to."""
    return [f"{message.level_tag}: {message}" for message in response.context["messages"]]


def act(client: Client, action: str, *rows: Any, url: str = JOBS, **data: Any) -> list[str]:
    """Perform an action on rows of a list, by default that of jobs, and return the messages."""
    # Those that ask first are told that it is meant.
    data = {"action": action, "index": 0, "post": "yes", "_selected_action": [row.pk for row in rows], **data}
    return messages_of(client.post(url, data, follow=True))
