"""A key is shown once, also to somebody who clicks twice or loads the page again."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from cronjobs.models import ApiKey

pytestmark = [pytest.mark.browser, pytest.mark.sqlite_only, pytest.mark.django_db(transaction=True)]

TEXT = re.compile(r"cron_[0-9a-f]{10}_[\w-]{43}")


# Tells of every submission whether it was held back, and holds back all.
SUBMISSIONS = """() => {
    const seen = [];
    window.addEventListener("submit", (event) => {
        seen.push(event.defaultPrevented);
        event.preventDefault();
    });
    const button = document.querySelector("[name=_save]");
    button.click();
    button.click();
    return seen;
}"""


def test_of_two_clicks_one_is_sent(page):
    page.goto("/admin/cronjobs/apikey/add/")

    assert page.evaluate(SUBMISSIONS) == [False, True]


def test_a_key_is_shown_once_and_a_reload_shows_and_makes_none(page):
    page.goto("/admin/cronjobs/apikey/add/")
    page.get_by_label("Name:").fill("deploy")
    page.get_by_label("View job").check()
    page.locator("#id_jobs_from").select_option("noop")
    page.get_by_role("button", name="Choose selected jobs").click()

    page.get_by_role("button", name="Save").click()

    shown = page.locator(".cron-key code")
    expect(shown).to_have_text(TEXT)
    # One click is enough to select all of it.
    shown.click()
    assert page.evaluate("window.getSelection().toString()") == shown.inner_text()
    assert ApiKey.objects.get().jobs == ["noop"]

    page.reload()

    expect(page.get_by_text("This was sent before")).to_be_visible()
    assert not TEXT.search(page.content())
    assert ApiKey.objects.count() == 1
