"""The way through the history by year, month and day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from cronjobs.admin.executions.dates import Period, parts_between
from cronjobs.models import recorded
from tests.integration.admin.pages import EXECUTIONS, get, text_of
from tests.integration.admin.test_executions import ids_on

BACK = "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}"


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def links_of(source):
    """Return the texts of the links above the list."""
    return text_of(source.partition('class="toplinks')[2].partition("</nav>")[0].partition(">")[2])


@pytest.fixture
def made(make_execution):
    """Three executions in Berlin's years 2025 and 2026; the second is still in the old year by UTC."""
    moments = ("2025-11-30T12:00", "2025-12-31T23:30", "2026-01-15T10:30")
    return [make_execution(queued_at=at(each)).pk for each in moments]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("2025", [0]),
        ("2026", [2, 1]),
        ("2026-01", [2, 1]),
        ("2026-01-01", [1]),
        ("2025-12-31", []),
        ("2025-11", [0]),
        ("1999", []),
        ("2999-12-31", []),
    ],
)
def test_a_period_is_one_of_the_viewers_zone(viewer, made, asked, found):
    assert ids_on(get(viewer, EXECUTIONS, date=asked)) == [made[each] for each in found]


def test_one_goes_down_and_up_again(viewer, made):
    assert links_of(get(viewer, EXECUTIONS)) == "2025 2026"
    assert links_of(get(viewer, EXECUTIONS, date="2025")).split()[:5] == [BACK, "All", "dates", "2025", "November"]
    days = get(viewer, EXECUTIONS, date="2026-01", job="1", before="99999")
    assert links_of(days).startswith(f"{BACK} 2026 January 2026 1 2 3 ")
    assert links_of(days).endswith(" 14 15")
    # What else narrows the list stays; a window of other days does not.
    assert 'href="?date=2026-01-15&amp;job=1" aria-label="January 15"' in days
    assert links_of(get(viewer, EXECUTIONS, date="2026-01-15")) == f"{BACK} January 2026 Jan. 15, 2026"


def test_where_there_is_one_way_only_it_has_been_gone(viewer, make_execution):
    for day in (3, 5):
        make_execution(queued_at=at(f"2026-01-0{day}T12:00"))

    assert links_of(get(viewer, EXECUTIONS)) == "January 2026 3 4 5"


@pytest.mark.parametrize("asked", ["x", "26", "2026-13", "2026-02-30", "2026-1", "0999", "2026-01-01T00", "٢٠٢٦"])
def test_what_is_no_date_is_answered_with_the_whole_list(viewer, made, asked):
    response = viewer.get(EXECUTIONS, {"date": asked}, follow=True)

    assert response.redirect_chain == [(f"{EXECUTIONS}?e=1", 302)]


@pytest.mark.parametrize("asked", ["2026", "2026-01", "2026-01-15"])
def test_a_period_is_found_in_a_long_history_with_gaps(viewer, make_execution, monkeypatch, asked):
    monkeypatch.setattr(recorded, "_CLOSE_ENOUGH", 1)
    monkeypatch.setattr(recorded, "_PROBES", 3)
    begin = Period.parse(asked).edges()
    rows = [make_execution(queued_at=at("2025-12-20T12:00") + timedelta(hours=9 * step)) for step in range(80)]
    for row in rows[::3]:
        row.delete()

    wanted = [each.pk for number, each in enumerate(rows) if number % 3 and begin[0] <= each.queued_at < begin[1]]
    assert ids_on(get(viewer, EXECUTIONS, date=asked))[:50] == wanted[::-1][:50]


def test_an_empty_history_has_no_dates(viewer, db):
    assert "toplinks" not in get(viewer, EXECUTIONS)
    assert ids_on(get(viewer, EXECUTIONS, date="2026")) == []


@pytest.mark.parametrize(
    ("period", "first", "last", "parts"),
    [
        (None, date(2025, 12, 31), date(2026, 1, 1), ["2025", "2026"]),
        (Period(2025), date(2025, 12, 31), date(2026, 1, 1), ["2025-12"]),
        (Period(2026, 2), date(2026, 2, 27), date(2026, 5, 1), ["2026-02-27", "2026-02-28"]),
        (Period(2026, 2, 27), date(2026, 2, 27), date(2026, 5, 1), []),
        (Period(2020), date(2026, 2, 27), date(2026, 5, 1), []),
    ],
)
def test_only_what_may_have_executions_is_offered(period, first, last, parts):
    assert [str(each) for each in parts_between(period, first, last)] == parts
