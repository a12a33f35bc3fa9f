"""The dashboard is found, and says whether all is well."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import override_settings
from django.utils import timezone

from cronjobs import health
from cronjobs.admin.badges import Tone
from cronjobs.admin.dashboard.nodes import Nodes
from cronjobs.admin.dashboard.queues import Waiting
from cronjobs.admin.dashboard.state import Findings, matters
from cronjobs.models import Queue
from cronjobs.models.queue import EVERYTHING
from tests.integration.admin.pages import DASHBOARD, get, text_of
from tests.integration.admin.panels import panel, read

pytestmark = pytest.mark.usefixtures("no_other_jobs")

ALL_IS_WELL = "All is well."


# Where it is found


def test_it_is_in_the_index_and_on_the_page_of_the_app(viewer):
    for url in ("/admin/", "/admin/cronjobs/"):
        assert f'href="{DASHBOARD}"' in get(viewer, url)


def test_an_empty_site_has_one_too(superuser, make_node):
    make_node()

    page = text_of(get(superuser, DASHBOARD))

    assert ALL_IS_WELL in page
    assert "Nothing has ended within 24 hours." in page
    assert "Nothing is due within 24 hours." in page


# Whether all is well


def test_without_a_node_nothing_is_well(superuser):
    assert "No node is alive" in read(superuser, "headline")


def test_a_tick_that_is_too_old_is_told(superuser, make_node, now):
    node = make_node()
    type(node).objects.update(last_tick_at=now - timedelta(minutes=10))

    assert "the last tick was 10 min" in read(superuser, "headline")


def test_a_node_that_fell_silent_is_told_while_others_live(superuser, make_node):
    make_node("a:1")
    make_node("b:2", silent_for=timedelta(minutes=10))

    assert "A node fell silent without saying that it stops: b:2." in read(superuser, "headline")
    assert "1 alive 1 dead" in read(superuser, "state")


def test_one_that_fell_silent_long_ago_is_only_counted(superuser, make_node):
    make_node("a:1")
    make_node("b:2", silent_for=timedelta(hours=3))

    assert read(superuser, "headline") == ALL_IS_WELL


def test_a_broken_job_is_named(superuser, make_node, make_job):
    make_node()
    make_job("no-such-definition", name="orphan")

    assert "A job is broken and cannot run: orphan." in read(superuser, "headline")


def test_executions_that_ended_badly_are_counted(superuser, make_node, ended):
    make_node()
    for status in ("failed", "timed_out", "lost", "succeeded"):
        ended(status=status)

    assert "3 executions ended badly in the last hour." in read(superuser, "headline")


def test_a_long_wait_is_told_and_so_is_the_depth_of_each_queue(superuser, make_node, waits):
    make_node()
    waits(ago=timedelta(minutes=7), queue="heavy")
    waits(queue="heavy")
    waits()

    assert "the oldest for 7 min" in read(superuser, "headline")
    assert re.search(r"heavy 2 7 min \d\d s .*default 1", read(superuser, "state"))


def test_what_a_paused_queue_holds_back_is_not_called_waiting(superuser, make_node, waits):
    make_node()
    Queue.objects.create(name="heavy", paused=True)
    waits(ago=timedelta(hours=1), queue="heavy")

    assert "1 execution waits in a queue that is paused." in read(superuser, "headline")
    assert "Waiting for a worker 0 1 more is paused" in read(superuser, "state")


@pytest.mark.parametrize("by", ["operator", "settings"])
def test_a_pause_of_everything_is_told_and_nothing_comes_next(superuser, make_node, make_job, settings, by):
    make_node()
    make_job("noop", schedule="* * * * *")
    if by == "operator":
        Queue.objects.update_or_create(name=EVERYTHING, defaults={"paused": True})
    else:
        settings.CRONJOBS = {**settings.CRONJOBS, "PAUSED": True}

    assert "Everything is paused" in read(superuser, "headline")
    assert "Everything is paused" in read(superuser, "upcoming")
    assert "noop" not in read(superuser, "upcoming")


@override_settings(CRONJOBS={"MONGODB_URI": ""})
def test_no_mongodb_is_no_fault(superuser, make_node):
    make_node()

    assert "MongoDB Not configured" in read(superuser, "state")
    assert read(superuser, "headline") == ALL_IS_WELL


def test_advice_is_no_matter_for_the_top_and_comes_after_what_went_wrong():
    advice = health.Probe(name="mongodb", status=health.Status.WARNING, message="An index would help.")
    waiting = Waiting(queues=[], is_cut=False, is_everything_paused=False, paused=frozenset())
    found = Findings(nodes=Nodes(now=timezone.now(), nodes=[]), waiting=waiting, mongodb=advice, broken=[], failed=1)

    assert [each.tone for each in matters(found)] == [Tone.BAD, Tone.ODD, Tone.QUIET]


# Nothing from the data becomes part of the page


def test_names_are_escaped(superuser, ended, make_node):
    make_node("<b>node</b>")
    ended("<script>alert(1)</script>", status="failed", result={"modifiedCount": 1})
    ended("<script>alert(1)</script>", result={"modifiedCount": 1})

    source = get(superuser, DASHBOARD)

    assert "<script>alert" not in source
    assert "<b>node" not in source


def test_it_complains_about_settings_as_other_pages_do(superuser, settings):
    settings.CRONJOBS = {"NO_SUCH_SETTING": 1}

    assert superuser.get(DASHBOARD).status_code == 500


def test_the_memory_of_a_node_is_a_line_where_it_tells_one(superuser, make_node):
    make_node("web-1:4711", rss_bytes=80 * 2**20)
    make_node("web-2:4711", rss_bytes=90 * 2**20, memory_trend=[[60 * n, (80 + n) * 2**20] for n in range(11)])

    memory = read(superuser, "memory")

    assert "web-1:4711 80 MiB" in memory
    assert "web-2:4711 90 MiB" in memory
    (line,) = re.findall(r'points="([^"]*)"', panel(superuser, "memory"))
    assert len(line.split()) == 11


@pytest.mark.parametrize("garbage", [3, "text", [[1]], [["a", "b"]], [[10**30, 1]], {"a": 1}])
def test_what_is_no_trend_is_passed_over(superuser, make_node, garbage):
    make_node(rss_bytes=80 * 2**20, memory_trend=garbage)

    assert "web-1:4711 80 MiB" in read(superuser, "memory")
