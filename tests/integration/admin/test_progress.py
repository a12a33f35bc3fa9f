"""How far a running job has come, in the list and on its page."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from tests.integration.admin.pages import EXECUTIONS, change_url, get, text_of


@pytest.fixture
def make_running(make_execution):
    def make(**progress):
        started = timezone.now() - timedelta(minutes=10, seconds=1)
        values = {"done": 1, "total": 4, "message": "", "at": "2026-01-15T12:00:00.000Z", **progress}
        return make_execution(status="running", finished_at=None, started_at=started, progress=values)

    return make


def test_the_list_shows_a_bar_with_its_words(viewer, make_running):
    make_running(message="<i>rows</i>")

    source = get(viewer, EXECUTIONS)

    assert '<progress max="100" value="25" aria-label="Progress">25 %</progress>' in source
    assert "25 %, 30 min" in text_of(source)
    assert 'title="1 of 4. &lt;i&gt;rows&lt;/i&gt;"' in source
    assert "<i>rows</i>" not in source


def test_the_page_shows_the_amount_the_rest_and_the_message(viewer, make_running):
    source = get(viewer, change_url(make_running(done=250_000, total=1_000_000, message="<b>rows</b>")))

    text = text_of(source)
    assert '<progress max="100" value="25" aria-label="Progress">' in source
    assert "250,000 of 1,000,000 (25 %)" in text
    assert "Left about 30 min" in text
    assert "&lt;b&gt;rows&lt;/b&gt;" in source
    assert "<b>rows</b>" not in source


def test_without_a_total_there_is_no_bar(viewer, make_running):
    execution = make_running(done=1234.5, total=None)

    for url in (EXECUTIONS, change_url(execution)):
        source = get(viewer, url)
        assert "1,234.5" in text_of(source)
        assert "<progress" not in source
        assert "left" not in text_of(source).lower()


def test_what_has_ended_keeps_its_progress_on_its_page_only(viewer, make_execution):
    execution = make_execution(status="failed", progress={"done": 3, "total": 4, "message": "rows", "at": ""})

    text = text_of(get(viewer, change_url(execution)))

    assert "Progress 75 % 3 of 4 (75 %)" in text
    assert "Left" not in text
    assert "<progress" not in get(viewer, EXECUTIONS)


@pytest.mark.parametrize(
    "progress",
    [
        None,
        [],
        "half",
        {},
        {"done": None, "total": None, "message": None},
        {"done": 1e300, "total": 1e-300},
        {"done": -5, "total": 0},
    ],
)
def test_whatever_a_row_holds_the_pages_are_there(viewer, make_execution, progress):
    execution = make_execution(status="running", progress=progress)

    get(viewer, EXECUTIONS)
    get(viewer, change_url(execution))
