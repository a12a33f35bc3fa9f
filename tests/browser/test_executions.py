"""The page of an execution while it runs: its log grows, and people step in by keyboard."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.utils import timezone
from playwright.sync_api import expect

from cronjobs.models import ExecutionLog, JobExecution

pytestmark = [pytest.mark.browser, pytest.mark.sqlite_only, pytest.mark.django_db(transaction=True)]

AT_THE_END = "box => box.scrollHeight - box.scrollTop - box.clientHeight < 8"


def elsewhere(function, *args):
    """Call a function in another thread, which has a connection of its own, as a node has."""

    def call():
        try:
            return function(*args)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result()


def write(execution, first, last, level=logging.INFO):
    ExecutionLog.objects.bulk_create(
        ExecutionLog(
            execution=execution, attempt=1, number=n, level=level, message=f"line {n}", logged_at=timezone.now()
        )
        for n in range(first, last + 1)
    )


def end(execution, **columns):
    JobExecution.objects.filter(pk=execution.pk).update(finished_at=timezone.now(), duration_ms=1500, **columns)


def address(execution):
    return f"/admin/cronjobs/jobexecution/{execution.pk}/change/"


@pytest.fixture
def running():
    execution = JobExecution.objects.request("noop")
    now = timezone.now()
    JobExecution.objects.update(status="running", attempt=1, started_at=now, first_started_at=now, node="web-1:1")
    return execution


def press(page, name):
    """Go to a button or link by the tabulator alone, and press it."""
    for _ in range(60):
        page.keyboard.press("Tab")
        focused = page.evaluate("document.activeElement.innerText || document.activeElement.value || ''")
        if focused.strip().lower() == name.lower():
            page.keyboard.press("Enter")
            return
    raise AssertionError(f"{name} cannot be reached by keyboard.")


def test_a_log_grows_is_followed_and_comes_to_its_end(page, running):
    elsewhere(write, running, 1, 60)
    page.goto(address(running))
    box, lines = page.locator("#cron-tail"), page.locator("#cron-tail tbody tr")
    expect(lines).to_have_count(60)
    assert box.evaluate(AT_THE_END)

    elsewhere(write, running, 61, 90)

    expect(lines).to_have_count(90)
    expect(lines.last).to_contain_text("line 90")
    assert box.evaluate(AT_THE_END)
    expect(page.locator("#cron-tail-state")).to_have_text("New lines are added as they come.")

    # Whoever has scrolled up stays there.
    box.evaluate("box => box.scrollTo(0, 100)")
    expect(page.locator("#cron-tail-state")).to_contain_text("scroll to the end")
    elsewhere(write, running, 91, 95)
    expect(lines).to_have_count(95)
    assert box.evaluate("box => box.scrollTop") == 100

    box.evaluate("box => box.scrollTo(0, box.scrollHeight)")
    elsewhere(write, running, 96, 99)
    expect(lines).to_have_count(99)
    assert box.evaluate(AT_THE_END)

    elsewhere(lambda: end(running, status="failed", error_type="ValueError", error_message="no such customer"))

    expect(page.locator("#cron-tail-state")).to_have_text("It has ended: there will be no more lines.")
    expect(page.locator("#cron-outcome")).to_contain_text("no such customer")
    expect(page.get_by_role("button", name="Run again")).to_be_visible()
    expect(page.get_by_role("button", name="Stop updating")).to_have_count(0)


def test_whoever_stops_the_updating_stops_the_log_too(page, running):
    # The page's own clock: nothing here waits for a second to pass.
    page.clock.install()
    page.goto(address(running))
    expect(page.locator("#cron-tail-state")).to_have_text("Nothing logged yet.")
    toggle, asked = page.get_by_role("button", name="Stop updating"), []
    toggle.click()
    page.wait_for_load_state("networkidle")
    page.on("request", lambda request: asked.append(request.url))
    elsewhere(write, running, 1, 3)

    # Longer than it would take to ask for both, many times over.
    page.clock.run_for(60_000)
    assert asked == []

    toggle.click()
    page.clock.run_for(1_000)
    expect(page.locator("#cron-tail tbody tr")).to_have_count(3)


def test_a_level_is_kept_while_the_log_grows(page, running):
    elsewhere(write, running, 1, 2)
    page.goto(address(running))
    page.get_by_role("link", name="Warnings and errors").click()
    lines = page.locator("#cron-tail tbody tr")
    expect(lines).to_have_count(0)

    elsewhere(write, running, 3, 4)
    elsewhere(write, running, 5, 5, logging.ERROR)

    expect(lines).to_have_count(1)
    expect(lines).to_contain_text("line 5")


def test_a_running_execution_is_cancelled_and_a_failed_one_retried_by_keyboard(page, running):
    page.goto(address(running))
    press(page, "Cancel …")
    expect(page.get_by_text("It runs. It will be asked to stop")).to_be_visible()
    running.refresh_from_db()
    assert running.cancel_requested_at is None

    page.get_by_label("Reason").focus()
    page.keyboard.type("Wrong month.")
    press(page, "Ask it to stop")
    expect(page.get_by_text("By ann, because: Wrong month.")).to_be_visible()

    elsewhere(lambda: end(running, status="failed", error_message="boom"))
    page.goto(address(running))
    press(page, "Run again")

    expect(page.get_by_role("link", name=f"#{running.pk}", exact=True)).to_be_visible()
    rerun = JobExecution.objects.latest("pk")
    assert (rerun.retry_of_id, rerun.status, rerun.requested_by) == (running.pk, "queued", "ann")
