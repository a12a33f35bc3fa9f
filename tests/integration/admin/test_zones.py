"""Pages in the time zone of the browser."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.utils import timezone

from cronjobs.admin import zones
from tests.integration.admin.pages import DASHBOARD, change_url, get, text_of

AT = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _site_zone():
    yield
    timezone.deactivate()


def test_times_are_in_the_zone_that_the_browser_names(viewer, make_execution):
    execution = make_execution("noop", started_at=AT)
    viewer.cookies[zones.COOKIE] = "Asia/Kathmandu"

    text = text_of(get(viewer, change_url(execution)))

    assert "2026-01-15 16:15:00" in text
    assert "Asia/Kathmandu" in text_of(get(viewer, DASHBOARD))


@pytest.mark.parametrize("name", ["", "Nowhere/Town", "../../etc/passwd", "x" * 5000, "Factory", "Köln"])
def test_what_is_no_zone_leaves_the_site_s(viewer, name, settings):
    viewer.cookies[zones.COOKIE] = "Asia/Kathmandu"
    get(viewer, DASHBOARD)
    viewer.cookies[zones.COOKIE] = name

    assert settings.TIME_ZONE in text_of(get(viewer, DASHBOARD))


def test_a_site_without_the_middleware_does_not_ask_browsers(settings):
    assert zones.scripts() == (zones.SCRIPT,)

    settings.MIDDLEWARE = [each for each in settings.MIDDLEWARE if "BrowserTimeZone" not in each]

    assert zones.scripts() == ()
