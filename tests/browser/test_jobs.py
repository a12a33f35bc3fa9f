"""Switching jobs in their list."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from cronjobs.models import Job

pytestmark = [pytest.mark.browser, pytest.mark.sqlite_only, pytest.mark.django_db(transaction=True)]


def test_a_job_is_switched_off_and_on_by_the_keyboard(page):
    page.goto("/admin/cronjobs/job/?q=noop")
    switch = page.get_by_role("switch", name="noop is enabled")
    expect(switch).to_be_checked()

    switch.focus()
    page.keyboard.press("Space")

    expect(page.get_by_text("noop was disabled")).to_be_visible()
    expect(switch).not_to_be_checked()
    # The list is the same one, and whoever uses a keyboard goes on from there.
    expect(page.get_by_role("textbox", name="Search")).to_have_value("noop")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    expect(switch).to_be_focused()
    page.keyboard.press("Enter")

    expect(page.get_by_text("noop was enabled")).to_be_visible()
    assert Job.objects.named("noop").enabled


def test_to_stop_several_jobs_is_asked_about_and_can_be_left(page):
    page.goto("/admin/cronjobs/job/")
    page.get_by_role("checkbox", name="Select all objects on this page for an action").check()
    page.get_by_label("Action:").select_option(label="Disable selected jobs")
    page.locator("button[name=index]").click()
    expect(page.get_by_role("heading", name="Disable ")).to_be_visible()

    page.get_by_role("link", name="No, take me back").click()

    expect(page.get_by_role("heading", name="Jobs", exact=True)).to_be_visible()
    assert not Job.objects.filter(enabled=False).exists()
