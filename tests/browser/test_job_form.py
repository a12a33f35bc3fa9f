"""The job form shows what a schedule would do while it is being typed."""

from __future__ import annotations

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


def test_what_was_previewed_is_what_is_saved(form):
    form.get_by_label("Schedule:").fill("@every 90s")
    expect(form.locator("#cron-preview")).to_contain_text("Every 1 minute 30 seconds")

    form.get_by_role("button", name="Save", exact=True).click()

    expect(form.get_by_text("was changed successfully")).to_be_visible()
    assert Job.objects.named("noop").schedule == "@every 90s"
