"""Every page that asks has one button that names what it does, and one way back, in the same words."""

from __future__ import annotations

import re

import pytest

from tests.pages.rows import filled_site
from tests.pages.table import Rows

ASKING = {
    "run now, with parameters": "Run now",
    "run now, with fixed parameters": "Run now",
    "run now, with mistakes": "Run now",
    "defaults of a job": "Restore what is ticked",
    "cancel": "Ask it to stop",
    "drain a node": "Drain it",
    "revoke a key": "Revoke it",
    "jobs to be paused": "Pause 2 jobs",
    "jobs to be disabled": "Disable 2 jobs",
    "executions to be cancelled": "Cancel them",
}


@pytest.mark.django_db
def test_every_page_that_asks_has_one_button_and_one_way_back():
    with filled_site() as ids:
        rows = Rows(ids)
        pages = {each.name: rows.answer(each) for each in rows.pages() if each.name in ASKING}

    assert {name: re.findall(r'type="submit"[^>]* value="([^"]*)"', source) for name, source in pages.items()} == {
        name: [button] for name, button in ASKING.items()
    }
    ways = {name: re.findall(r'class="closelink"[^>]*>([^<]*)<', source) for name, source in pages.items()}
    assert ways == {name: ["No, take me back"] for name in ASKING}
