"""The page of the API's description: served by the site alone, and able to send requests as whoever has logged in."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from cronjobs.models import Queue

pytestmark = [pytest.mark.browser, pytest.mark.sqlite_only, pytest.mark.django_db(transaction=True)]

# Milliseconds: the scripts are large, and the machine may be busy.
PATIENCE = 90_000
POLICY = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'"


def strict(get_response):
    """A middleware of a site that lets its pages load nothing from elsewhere and run no script that stands in them."""

    def middleware(request):
        answer = get_response(request)
        answer["Content-Security-Policy"] = POLICY
        return answer

    return middleware


@pytest.fixture
def docs(page, settings):
    settings.MIDDLEWARE = [f"{__name__}.strict", *settings.MIDDLEWARE]
    asked, refused = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda line: refused.append(line.text) if line.type == "error" else None)
    page.goto("/cron/docs")
    expect(page.locator(".opblock").first).to_be_visible(timeout=PATIENCE)
    yield page
    assert {urlsplit(each).netloc for each in asked if not each.startswith("data:")} == {urlsplit(page.url).netloc}
    assert refused == []


def test_every_operation_is_shown(docs):
    count = docs.evaluate(
        """async () => {
            const paths = Object.values((await (await fetch("/cron/schema")).json()).paths);
            return paths.flatMap((each) => Object.keys(each)).length;
        }"""
    )

    expect(docs.locator(".opblock")).to_have_count(count, timeout=PATIENCE)
    expect(docs.get_by_role("heading", name="cronjobs")).to_be_visible()


def test_a_request_is_sent_as_the_user_who_has_logged_in(docs):
    operation = docs.locator("#operations-Queues-pauseEverything")
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()

    answer = operation.locator(".live-responses-table tbody .response-col_status").first
    expect(answer).to_contain_text("200", timeout=PATIENCE)
    assert Queue.objects.everything_paused().exists()
