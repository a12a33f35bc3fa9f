"""The dashboard keeps itself up to date, without being loaded anew, for as long as somebody looks at it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from cronjobs.models import JobExecution

pytestmark = [pytest.mark.browser, pytest.mark.sqlite_only, pytest.mark.django_db(transaction=True)]

DASHBOARD = "/admin/cronjobs/dashboard/"
HIDE = """isHidden => {
    Object.defineProperty(document, 'hidden', {value: isHidden, configurable: true});
    document.dispatchEvent(new Event('visibilitychange'));
}"""


@pytest.fixture
def looks(page):
    """The dashboard, with the number of times that it was asked for, by any means, in a list of requests."""
    asked = []
    page.on("request", lambda request: asked.append(request) if request.url.endswith(DASHBOARD) else None)
    # The page's own clock: nothing here waits for a second to pass.
    page.clock.install()
    page.goto(DASHBOARD)
    return asked


def begin(execution):
    now = timezone.now()
    rows = JobExecution.objects.filter(pk=execution.pk)
    rows.update(status="running", started_at=now, first_started_at=now, attempt=1)


def end(execution, status="succeeded"):
    rows = JobExecution.objects.filter(pk=execution.pk)
    rows.update(status=status, finished_at=timezone.now(), duration_ms=1200)


def test_it_shows_a_job_start_and_end_without_being_loaded_anew(page, looks):
    lane = page.locator("#dashboard-timeline li", has_text="noop")
    page.evaluate("window.isTheSame = true")
    expect(lane).to_have_count(0)
    execution = JobExecution.objects.request("noop")

    begin(execution)
    page.clock.run_for(5000)
    expect(lane.locator(".cron-badge")).to_have_text("Running")
    expect(lane.locator("rect.cron-busy")).to_have_count(1)

    end(execution)
    page.clock.run_for(5000)
    expect(lane.locator(".cron-badge")).to_have_text("Succeeded")
    expect(lane.locator("rect.cron-good")).to_have_count(1)
    expect(page.locator("#dashboard-hours")).to_contain_text("1 in all")
    assert page.evaluate("window.isTheSame")


def test_nothing_is_asked_while_it_is_hidden_and_at_once_when_it_is_seen_again(page, looks):
    page.evaluate(HIDE, arg=True)
    page.clock.run_for(60_000)
    assert len(looks) == 1

    with page.expect_response(lambda answer: answer.url.endswith(DASHBOARD)):
        page.evaluate(HIDE, arg=False)
    assert len(looks) == 2


def test_the_switch_stops_it_and_lets_it_go_on(page, looks):
    switch = page.get_by_role("button", name="Stop updating")
    switch.press("Enter")
    expect(switch).to_have_attribute("aria-pressed", "true")
    page.clock.run_for(60_000)
    assert len(looks) == 1

    with page.expect_response(lambda answer: answer.url.endswith(DASHBOARD)):
        switch.press("Enter")
    expect(switch).to_have_attribute("aria-pressed", "false")


def test_what_has_the_focus_and_what_is_open_stay_so(page, looks):
    execution = JobExecution.objects.request("noop")
    begin(execution)
    end(execution, "failed")
    page.clock.run_for(5000)
    link = page.locator("#dashboard-ranking").get_by_role("link", name="noop").first
    link.focus()
    page.get_by_text("The numbers, hour by hour").press("Enter")
    link.focus()
    other = JobExecution.objects.request("noop")
    begin(other)
    end(other, "failed")

    page.clock.run_for(5000)

    expect(page.locator("#dashboard-ranking td").first).to_have_text("2")
    expect(page.locator("#dashboard-ranking").get_by_role("link", name="noop").first).to_be_focused()
    expect(page.locator("#dashboard-hours-numbers")).to_have_attribute("open", "")


@pytest.mark.parametrize("width", [400, 1440])
def test_nothing_is_wider_than_the_screen(page, width):
    execution = JobExecution.objects.request("noop")
    started = timezone.now() - timedelta(minutes=10)
    JobExecution.objects.filter(pk=execution.pk).update(status="running", started_at=started)
    page.set_viewport_size({"width": width, "height": 900})

    page.goto(DASHBOARD)

    expect(page.locator("#dashboard-timeline rect.cron-busy")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
