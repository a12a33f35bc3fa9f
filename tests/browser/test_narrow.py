"""On a phone no page scrolls sideways, whatever stands on it: only tables and texts within a page do."""

from __future__ import annotations

import pytest

from tests.browser.operators import NARROW, tabs, visit
from tests.pages.rows import filled_site
from tests.pages.table import Rows

pytestmark = [pytest.mark.browser, pytest.mark.sqlite_only, pytest.mark.django_db(transaction=True)]


def test_no_page_is_wider_than_a_phone(browser, live_server):
    wider = []
    with filled_site() as ids, tabs(browser, live_server.url, Rows(ids)) as opened:
        rows = Rows(ids)
        for tab in opened.values():
            tab.set_viewport_size(NARROW)
        for page in (each for each in rows.pages() if each.data is None):
            visit(opened[page.user], page)
            if opened[page.user].evaluate("document.documentElement.scrollWidth") > NARROW["width"]:
                wider.append(page.name)

    assert wider == []
