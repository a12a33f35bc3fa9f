"""The list of nodes."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from cronjobs.database import database_now_plus
from tests.integration.admin.pages import EXECUTIONS, JOBS, NODES, change_url, get, text_of


@pytest.mark.parametrize(
    ("silent_for", "columns", "state"),
    [
        pytest.param(timedelta(seconds=5), {}, "Alive", id="alive"),
        pytest.param(timedelta(seconds=5), {"drain_requested_at": timezone.now()}, "Draining", id="draining"),
        pytest.param(timedelta(minutes=5), {}, "Dead", id="dead"),
        pytest.param(timedelta(minutes=5), {"drain_requested_at": timezone.now()}, "Dead", id="dead-while-it-drained"),
        pytest.param(timedelta(0), {"stopped_at": timezone.now()}, "Stopped", id="stopped"),
    ],
)
def test_a_node_is_alive_draining_dead_or_stopped(viewer, make_node, silent_for, columns, state):
    node = make_node(silent_for=silent_for, rss_bytes=81_500_000, **columns)

    for url in (NODES, change_url(node)):
        source = get(viewer, url)
        assert re.findall(r'<span class="cron-badge[^>]*>(\w+)</span>', source) == [state]
        for part in ("web-1:4711", "web-1", "4711", "1.0", "78 MiB", "ago"):
            assert part in text_of(source)


def test_load_is_told_in_words_beside_the_bar_and_what_runs_with_how_long(viewer, make_node, make_execution):
    node = make_node(cpu_percent=12)
    since = timezone.now() - timedelta(minutes=5, seconds=30)
    mine = [make_execution(status="running", finished_at=None, started_at=since) for _ in range(5)]
    other = make_execution(status="running", finished_at=None, started_at=since, node="web-2:1")

    source = get(viewer, NODES)

    assert "5 of 8 workers CPU 12 %" in text_of(source)
    assert '<progress max="8" value="5" aria-label="Busy workers">' in source
    assert [f'href="{change_url(each)}"' in source for each in mine] == [True, True, True, False, False]
    assert re.search(r"succeeds #\d+ , 5 min \d\d s …", text_of(source))
    assert "and 2 more" in text_of(source)
    assert change_url(other) not in source
    page = get(viewer, change_url(node))
    assert all(f'href="{change_url(each)}"' in page for each in mine)
    assert change_url(other) not in page


def test_whoever_may_not_see_executions_gets_no_links(viewer, make_node, make_execution, django_user_model):
    node, execution = make_node(), make_execution(status="running", finished_at=None)
    user = django_user_model.objects.get(username="viewer")
    user.user_permissions.remove(*user.user_permissions.filter(codename="view_jobexecution"))

    for url in (NODES, change_url(node)):
        source = get(viewer, url)
        assert str(execution) in source
        assert change_url(execution) not in source


@pytest.mark.parametrize(
    ("skew", "shown", "warning"),
    [
        pytest.param(1_500, "1.5 s ahead", "", id="a-little"),
        pytest.param(-3_200, "3.2 s behind", "Clock 3.2 s off", id="much"),
        pytest.param(45_000, "45.0 s ahead", "Clock 45.0 s off: claims nothing", id="too-much"),
    ],
)
def test_a_clock_that_is_off_is_told_and_warned_of(viewer, make_node, skew, shown, warning):
    node = make_node(clock_skew_ms=skew)

    assert shown in text_of(get(viewer, change_url(node)))
    source = get(viewer, NODES)
    assert (f'<span class="cron-late">{warning}</span>' in source) if warning else ("cron-late" not in source)


def test_a_tick_that_is_overdue_is_marked_unless_the_node_drains(viewer, make_node):
    node = make_node()
    type(node).objects.update(last_tick_at=database_now_plus(-timedelta(minutes=5)))
    assert "too long ago" in text_of(get(viewer, NODES))

    type(node).objects.update(drain_requested_at=database_now_plus(timedelta(0)))
    assert "others decide" in text_of(get(viewer, NODES))


def test_the_memory_is_drawn_and_told_in_words(viewer, make_node):
    trend = [[1_700_000_000 + 60 * n, (60 + n % 30) * 2**20] for n in range(120)]
    node = make_node(memory_trend=trend)

    source = get(viewer, change_url(node))

    words = "Over the last 1 h 59 min: from 60 MiB to 89 MiB, 89 MiB at last."
    assert words in text_of(source)
    assert f'aria-label="Memory. {words}"' in source
    assert source.count("<rect") == 60


@pytest.mark.parametrize("trend", [[], [[1_700_000_000, 5]], "?", [["<b>", None], [1]], {"a": 1}])
def test_without_a_trend_nothing_is_drawn(viewer, make_node, trend):
    node = make_node(memory_trend=trend)

    assert "cron-sparkline" not in get(viewer, change_url(node))


def test_nodes_keep_their_places_whoever_was_heard_of_last(viewer, make_node):
    make_node("c", stopped_at=timezone.now())
    make_node("d", silent_for=timedelta(minutes=5))
    make_node("b")
    make_node("a", silent_for=timedelta(seconds=5))

    assert re.findall(r'<th class="field-name">.*?>(\w)</a>', get(viewer, NODES)) == ["a", "b", "d", "c"]


def test_pages_are_kept_up_to_date_while_something_may_change(viewer, make_node):
    alive, stopped = make_node("a"), make_node("b", stopped_at=timezone.now())

    found = [("data-live-state" in get(viewer, url)) for url in (NODES, change_url(alive), change_url(stopped))]

    assert found == [True, True, False]


def test_text_of_nodes_is_escaped(viewer, make_node):
    make_node("<b>node</b>", version="<b>v</b>")

    assert "<b>" not in get(viewer, NODES)


def test_a_node_that_has_not_ticked_yet_is_listed(viewer, make_node):
    node = make_node()
    type(node).objects.update(last_tick_at=None)

    assert "web-1:4711" in text_of(get(viewer, NODES))


def test_columns_cannot_be_asked_for(viewer):
    assert viewer.get(NODES, {"hostname__startswith": "w"}).status_code == 400


@pytest.mark.parametrize("page", [JOBS, EXECUTIONS, NODES])
def test_every_list_says_when_no_node_is_alive(superuser, make_node, page):
    sentence = "No node is alive: nothing runs until"
    make_node(silent_for=timedelta(minutes=5))
    assert sentence in superuser.get(page).content.decode()

    make_node("web-2:1")
    assert sentence not in superuser.get(page).content.decode()


@pytest.mark.parametrize("page", [JOBS, EXECUTIONS, NODES])
def test_every_list_says_when_all_nodes_drain(superuser, make_node, page):
    sentence = "Every node that is alive is draining: nothing new is decided or started"
    make_node(drain_requested_at=timezone.now())
    assert sentence in superuser.get(page).content.decode()

    make_node("web-2:1")
    assert sentence not in superuser.get(page).content.decode()
