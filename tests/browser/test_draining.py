"""A node is drained by keyboard, and its page tells of the end by itself."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from cronjobs.models import JobExecution, Node

pytestmark = [pytest.mark.browser, pytest.mark.sqlite_only, pytest.mark.django_db(transaction=True)]


def test_a_node_is_drained_by_keyboard_and_its_end_is_seen_without_a_reload(page):
    now = timezone.now()
    facts = {"hostname": "web-1", "pid": 4711, "version": "1", "workers": 8, "started_at": now, "last_tick_at": now}
    node = Node.objects.create(name="web-1:4711", heartbeat_at=now + timedelta(hours=1), **facts)
    execution = JobExecution.objects.request("noop")
    JobExecution.objects.filter(pk=execution.pk).update(status="running", started_at=now, node=node.name)

    page.goto(f"/admin/cronjobs/node/{node.pk}/change/")
    expect(page.get_by_role("progressbar", name="Busy workers")).to_be_visible()
    page.get_by_role("link", name="Drain …").press("Enter")
    expect(page.get_by_text("It runs 1 execution now, and ends when that has ended.")).to_be_visible()
    expect(page.get_by_text("No other node is alive: due times will be decided when one is.")).to_be_visible()
    page.get_by_role("button", name="Drain it").press("Enter")
    expect(page.get_by_text("Draining", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Keep working")).to_be_visible()

    JobExecution.objects.filter(pk=execution.pk).update(status="succeeded")
    Node.objects.update(stopped_at=now)

    expect(page.get_by_text("Stopped", exact=True).first).to_be_visible(timeout=20_000)
    # Nothing will change any more.
    expect(page.get_by_role("button", name="Stop updating")).to_have_count(0)
