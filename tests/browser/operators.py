"""The table of pages in a real browser, for whoever is to see each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from playwright.sync_api import Browser, ViewportSize
from playwright.sync_api import Page as Tab

from tests.pages.rows import SUPERUSER, VIEWER
from tests.pages.table import Page, Rows

WIDE, NARROW = ViewportSize(width=1440, height=900), ViewportSize(width=400, height=800)

_SEND = """([url, data]) => {
    const form = Object.assign(document.createElement("form"), {method: "post", action: url});
    const add = (name, value) => form.append(Object.assign(document.createElement("input"), {name, value, type: "hidden"}));
    add("csrfmiddlewaretoken", document.querySelector("[name=csrfmiddlewaretoken]").value);
    Object.entries(data).forEach(([name, values]) => [values].flat().forEach((value) => add(name, value)));
    document.body.append(form);
    form.submit();
}"""
# What a transition shows on its way is neither of the colours.
_AT_ONCE = "*, *::before, *::after { transition: none !important; animation: none !important }"


@contextmanager
def tabs(browser: Browser, url: str, rows: Rows) -> Iterator[dict[str, Tab]]:
    """Open a tab for each user of the table, who has logged in there; a script error fails the test."""
    errors: list[object] = []

    def opened(user: str) -> Tab:
        context = browser.new_context(base_url=url, viewport=WIDE)
        session: Any = {"name": settings.SESSION_COOKIE_NAME, "value": rows.session(user), "url": url}
        context.add_cookies([session])
        tab = context.new_page()
        tab.on("pageerror", lambda error: errors.append(error))  # noqa: PLW0108 - Playwright marks its handlers
        return tab

    found = {user: opened(user) for user in (SUPERUSER, VIEWER)}
    try:
        yield found
    finally:
        for tab in found.values():
            tab.context.close()
    assert errors == []


def visit(tab: Tab, page: Page) -> None:
    """Show a page of the table; one that answers to a form, after sending that from the page before."""
    if page.data is None:
        tab.goto(page.url)
    else:
        with tab.expect_navigation():
            tab.evaluate(_SEND, [page.url, page.data])
    tab.add_style_tag(content=_AT_ONCE)
