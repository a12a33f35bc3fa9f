"""Every page can be used by everybody: axe-core finds nothing serious, and the keyboard reaches all there is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page as Tab
from playwright.sync_api import ViewportSize

from tests.browser.operators import NARROW, WIDE, tabs, visit
from tests.pages.rows import filled_site
from tests.pages.table import GET, POST, Rows

pytestmark = [pytest.mark.browser, pytest.mark.sqlite_only, pytest.mark.django_db(transaction=True)]

# What is Django's and has mistakes of its own, each with the rule that it breaks.
DJANGOS = (
    # Its links are not underlined: link-in-text-block.
    ".breadcrumbs",
    # Everything that the site has, which is on each page and none of ours: it would be looked at sixty times.
    "#nav-sidebar",
    # The two lists out of which one chooses have labels on nothing: aria-prohibited-attr.
    ".selector .search-label-icon",
)
_RUN = """([excluded, options]) => axe.run(
    {exclude: excluded}, {preload: false, resultTypes: ["violations"], ...options}
)"""
# Colours depend on the scheme, and all else on the width. Contrasts take the longest, and what
# can be seen on a narrow screen can be seen on a wide one too.
LOOKS: tuple[tuple[Any, ViewportSize, dict[str, object]], ...] = (
    ("light", WIDE, {}),
    ("dark", WIDE, {"runOnly": ["color-contrast"]}),
    ("dark", NARROW, {"rules": {"color-contrast": {"enabled": False}}}),
)
# The pages of one kind of row each, so that several can be looked at at the same time.
ROOMS = sorted({path.partition("/")[0] for path in (*GET.values(), *(path for path, _ in POST.values()))})

# The controls that can be seen, numbered; with how each looks while it is not focused.
_CONTROLS = """() => {
    const selector = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']";
    const look = (each) => {
        const style = getComputedStyle(each);
        const names = ["outlineStyle", "outlineWidth", "outlineColor", "boxShadow", "borderColor", "color",
            "backgroundColor", "textDecorationLine"];
        return names.map((name) => style[name]).join();
    };
    window.look = look;
    // From the top, whatever has been focused already.
    document.body.tabIndex = -1;
    document.body.focus();
    document.body.removeAttribute("tabindex");
    const seen = [...document.querySelectorAll("#content :is(" + selector + ")")].filter(
        (each) => !each.disabled && each.tabIndex >= 0 && each.checkVisibility({visibilityProperty: true})
            && each.getClientRects().length
    );
    seen.forEach((each, number) => Object.assign(each, {number, atRest: look(each)}));
    return seen.map((each) => each.outerHTML.slice(0, 120));
}"""
# Where the focus is: the control's number, and whether it can be seen that it is there.
_FOCUSED = """() => {
    const each = document.activeElement;
    const box = each.getBoundingClientRect();
    const isInView = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
    return [each.number ?? null, isInView && window.look(each) !== each.atRest, each === document.body];
}"""
MAIN_PAGES = {
    "dashboard",
    "jobs",
    "job",
    "history of a job",
    "defaults of a job",
    "executions",
    "execution that failed",
    "execution that runs",
    "run now, with parameters",
    "cancel",
    "nodes",
    "node",
    "drain a node",
    "queues",
    "new key",
    "job, for a viewer",
}


@pytest.fixture
def rows() -> Iterator[Rows]:
    with filled_site() as ids:
        yield Rows(ids)


@pytest.mark.parametrize("room", ROOMS)
def test_no_page_has_a_serious_violation(browser, live_server, rows, room):
    found = set()
    pages = [page for page in rows.pages() if page.path.partition("/")[0] == room]
    with tabs(browser, live_server.url, rows) as opened:
        for page in pages:
            tab = opened[page.user]
            tab.emulate_media(color_scheme="light")
            tab.set_viewport_size(WIDE)
            visit(tab, page)
            tab.evaluate(AXE_SCRIPT)
            for scheme, size, options in LOOKS:
                tab.emulate_media(color_scheme=scheme)
                tab.set_viewport_size(size)
                violations = tab.evaluate(_RUN, [list(DJANGOS), options])["violations"]
                found |= {
                    (page.name, f"{scheme}, {size['width']}", each["id"], str(node["target"]), node["failureSummary"])
                    for each in violations
                    if each["impact"] in {"serious", "critical"}
                    for node in each["nodes"]
                }

    assert found == set()


def test_the_keyboard_reaches_every_control_and_shows_where_it_is(browser, live_server, rows):
    missed, unseen = [], []
    pages = [page for page in rows.pages() if page.name in MAIN_PAGES]
    assert {page.name for page in pages} == MAIN_PAGES
    with tabs(browser, live_server.url, rows) as opened:
        for page in pages:
            tab = opened[page.user]
            visit(tab, page)
            controls = tab.evaluate(_CONTROLS)
            visited = dict(walk(tab, most=len(controls) + 150))
            missed += [(page.name, each) for number, each in enumerate(controls) if number not in visited]
            unseen += [(page.name, controls[number]) for number, is_seen in visited.items() if not is_seen]

    assert missed == []
    assert unseen == []


def walk(tab: Tab, *, most: int) -> Iterator[tuple[int, bool]]:
    """Press Tab until the page's end, at most so often; yield the controls' numbers, and whether each shows the focus."""
    for _ in range(most):
        tab.keyboard.press("Tab")
        number, is_seen, is_over = tab.evaluate(_FOCUSED)
        if is_over:
            return
        if number is not None:
            yield number, is_seen
    pytest.fail(f"The focus does not leave {tab.url}.")
