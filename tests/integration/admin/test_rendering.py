"""How states, times and durations look."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import cronjobs
from cronjobs.admin import rendering
from cronjobs.admin.badges import STATUS_TONES, Tone, status_badge
from cronjobs.states import UNSUCCESSFUL, ExecutionStatus

NOW = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)


def test_every_status_has_a_colour():
    assert set(STATUS_TONES) == set(ExecutionStatus)


@pytest.mark.parametrize("status", list(ExecutionStatus))
def test_what_counts_against_a_job_is_red_and_nothing_else(status):
    assert (STATUS_TONES[status] == Tone.BAD) == (status in UNSUCCESSFUL)
    assert str(status.label) in status_badge(status)


@pytest.mark.parametrize("tone", list(Tone))
def test_every_tone_has_a_rule_in_the_style_sheet_and_a_colour_in_each_theme(tone):
    css = (Path(cronjobs.__file__).parent / "static/cronjobs/admin.css").read_text()

    assert f".cron-{tone} {{" in css
    assert css.count(f"--cron-{tone}-fg: #") == 3


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (None, "-"),
        (timedelta(0), "0 ms"),
        (timedelta(milliseconds=34.9), "34 ms"),
        (timedelta(seconds=1), "1.0 s"),
        (timedelta(seconds=59.99), "59.9 s"),
        (timedelta(seconds=60), "1 min 00 s"),
        (timedelta(minutes=59, seconds=59.9), "59 min 59 s"),
        (timedelta(hours=1, minutes=3), "1 h 03 min"),
        (timedelta(days=400, hours=4), "400 d 04 h"),
        (timedelta(seconds=-5), "-5.0 s"),
    ],
    ids=str,
)
def test_a_duration_reads_as_a_person_would_say_it(span, text):
    assert rendering.duration(span) == text


def test_lateness_of_a_minute_is_emphasized():
    assert "cron-late" in rendering.lateness(timedelta(minutes=1))
    assert "cron-late" not in rendering.lateness(timedelta(seconds=59))


def test_a_time_of_today_has_no_date_and_always_utc_at_hand():
    today = rendering.brief_moment(NOW - timedelta(hours=1), now=NOW)
    yesterday = rendering.brief_moment(NOW - timedelta(days=1), now=NOW)

    assert ">12:00:00<" in today
    assert 'title="2026-01-15 11:00:00 UTC"' in today
    assert 'datetime="2026-01-15T11:00:00.000Z"' in today
    assert ">2026-01-14 13:00:00<" in yesterday


@pytest.mark.parametrize(
    ("offset", "words"), [(90, "in 1 min 30 s"), (-2, "in 0 ms"), (-60, "overdue")], ids=["later", "now", "past"]
)
def test_what_comes_next_says_how_soon(offset, words):
    assert words in rendering.ahead(NOW + timedelta(seconds=offset), now=NOW)


@pytest.mark.parametrize(
    ("text", "line"), [("", ""), ("a", "a"), ("a\nb\n\n", "b"), ("\n \n", ""), ("a\r\n  b  ", "b")], ids=repr
)
def test_of_an_error_the_last_line_says_most(text, line):
    assert rendering.last_line(text) == line


def test_short_data_stands_on_one_line():
    assert "\n" not in rendering.compact_json({"a": 1})
    assert "\n" in rendering.compact_json({"a": "x" * 200})
