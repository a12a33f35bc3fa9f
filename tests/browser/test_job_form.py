"""The job form shows what a schedule would do while it is being typed."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from cronjobs.models import Job

pytestmark = [pytest.mark.browser, pytest.mark.sqlite_only, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def form(page):
    job = Job.objects.named("noop")
    Job.objects.filter(pk=job.pk).update(schedule="0 5 * * *")
    page.goto(f"/admin/cronjobs/job/{job.pk}/change/")
    return page


def test_the_preview_follows_the_typing(form):
    preview = form.locator("#cron-preview")
    expect(preview).to_contain_text("05:00")
    expect(preview.locator("li")).to_have_count(5)

    form.get_by_label("Schedule:").fill("30 7 * * mon")
    expect(preview).to_contain_text("07:30 on Monday")

    form.get_by_label("Time zone:").fill("Asia/Kathmandu")
    expect(preview).to_contain_text("01:45:00 UTC")

    form.get_by_label("Schedule:").fill("61 7 * * mon")
    expect(preview).to_contain_text("minute: '61' is not in 0–59")
    expect(preview.locator("li")).to_have_count(0)


def test_no_secret_of_the_form_is_in_the_address_of_the_preview(form):
    form.get_by_text("Alerts", exact=True).last.click()
    form.get_by_label("Ping URL:").fill("https://hc-ping.com/4f1c")
    form.get_by_label("Runbook:").fill("https://wiki.example.com/4f1c")
    form.get_by_label("Parameters:").fill('{"token": "4f1c"}')

    with form.expect_request(lambda request: "00+9" in request.url) as asked:
        form.get_by_label("Schedule:").fill("00 9 * * *")

    assert "4f1c" not in asked.value.url


def test_what_was_previewed_is_what_is_saved(form):
    form.get_by_label("Schedule:").fill("@every 90s")
    expect(form.locator("#cron-preview")).to_contain_text("Every 1 minute 30 seconds")

    form.get_by_role("button", name="Save", exact=True).click()

    expect(form.get_by_text("was changed successfully")).to_be_visible()
    assert Job.objects.named("noop").schedule == "@every 90s"


def test_a_mistake_is_told_to_those_who_cannot_see_the_preview(form):
    schedule = form.get_by_label("Schedule:")
    expect(schedule).to_have_attribute("aria-describedby", re.compile("cron-preview"))

    schedule.fill("61 7 * * mon")
    expect(schedule).to_have_attribute("aria-invalid", "true")
    expect(form.get_by_role("status", name="Preview of the schedule")).to_contain_text("'61' is not in 0–59")

    schedule.fill("6 7 * * mon")
    expect(schedule).not_to_have_attribute("aria-invalid", "true")


def test_no_preview_of_what_was_typed_before_is_left_when_the_server_fails(form):
    preview = form.locator("#cron-preview")
    expect(preview.locator("li")).to_have_count(5)

    form.route("**/preview/**", lambda route: route.fulfill(status=500, body="<li>boom</li>"))
    form.get_by_label("Schedule:").fill("0 6 * * *")
    expect(preview).to_have_text("The preview cannot be shown: the server does not answer as it should.")

    form.unroute("**/preview/**")
    form.context.clear_cookies()
    form.get_by_label("Schedule:").fill("0 7 * * *")
    expect(preview).to_have_text("The preview cannot be shown: you are signed out.")


def test_a_default_is_restored_in_the_form_and_kept_by_saving_it(form):
    link = form.get_by_role("link", name="Restore default: Schedule")
    link.focus()
    form.keyboard.press("Enter")

    expect(form.get_by_label("Schedule:")).to_have_value("")
    expect(form.get_by_label("Schedule:")).to_be_focused()
    expect(form.get_by_text("It will be the default again when you save.")).to_be_visible()
    expect(form.locator("#cron-preview")).to_contain_text("on demand")
    assert Job.objects.named("noop").schedule == "0 5 * * *"

    form.get_by_role("button", name="Save", exact=True).click()

    expect(form.get_by_text("was changed successfully")).to_be_visible()
    assert Job.objects.named("noop").schedule is None
