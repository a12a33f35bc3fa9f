"""The bar of a running job is drawn, named and told in words, in light and in dark."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from cronjobs.models import JobExecution

pytestmark = [pytest.mark.browser, pytest.mark.sqlite_only, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_bar_is_drawn_and_told(page, scheme):
    execution = JobExecution.objects.request("noop")
    progress = {"done": 1, "total": 4, "message": "rows", "at": ""}
    started = timezone.now() - timedelta(minutes=10)
    JobExecution.objects.filter(pk=execution.pk).update(status="running", started_at=started, progress=progress)
    page.emulate_media(color_scheme=scheme)

    for path in ("", f"{execution.pk}/change/"):
        page.goto(f"/admin/cronjobs/jobexecution/{path}")
        bar = page.get_by_role("progressbar", name="Progress")
        expect(bar).to_be_visible()
        expect(bar).to_have_attribute("value", "25")
        assert bar.bounding_box()["width"] > 40
        expect(page.get_by_text("25 %").last).to_be_visible()
