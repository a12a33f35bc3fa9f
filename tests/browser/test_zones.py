"""Times in the time zone of the browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.sqlite_only, pytest.mark.django_db(transaction=True)]

DASHBOARD = "/admin/cronjobs/dashboard/"


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
def test_pages_are_in_the_browser_s_zone_from_the_second_on(browser, page, live_server, zone):
    with browser.new_context(base_url=live_server.url, timezone_id=zone) as context:
        context.add_cookies(page.context.cookies())
        tab = context.new_page()

        tab.goto(DASHBOARD)
        tab.goto(DASHBOARD)

        expect(tab.get_by_text(f"Times are in {zone}")).to_be_visible()
