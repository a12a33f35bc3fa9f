"""Panels of the dashboard."""

from __future__ import annotations

import re

from django.test import Client

from tests.integration.admin.pages import DASHBOARD, get, text_of


def panel(client: Client, name: str) -> str:
    """Return the source of one panel."""
    source = get(client, DASHBOARD)
    found = re.search(rf'<(section|div) id="dashboard-{name}".*?</\1>', source, re.DOTALL)
    assert found, f"There is no panel {name}."
    return found.group()


def read(client: Client, name: str) -> str:
    """Return what a person reads of one panel, in one line."""
    return text_of(panel(client, name))
