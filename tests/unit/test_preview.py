"""What a schedule is going to do, with the marks that clock changes and calendars leave."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from cronjobs.schedules import PREVIEW_LIMIT, At, Cron, Every, Mark, excluding, preview

NEW_YORK = "America/New_York"
SPRING = datetime(2026, 3, 7, 12, tzinfo=UTC)
AUTUMN = datetime(2026, 10, 31, 12, tzinfo=UTC)
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def instants(*texts):
    return tuple(datetime.fromisoformat(each) for each in texts)


def lines(found):
    return [(f"{each.at:%dT%H:%M}", each.mark) for each in found.fires]


@pytest.mark.parametrize(
    ("expression", "zone", "after", "expected", "marks"),
    [
        pytest.param(
            "30 2 * * *",
            NEW_YORK,
            "2026-03-07T12:00Z",
            ["2026-03-08T07:00Z", "2026-03-09T06:30Z", "2026-03-10T06:30Z", "2026-03-11T06:30Z", "2026-03-12T06:30Z"],
            {"2026-03-08T07:00Z": Mark.MOVED},
            id="missing-hour",
        ),
        pytest.param(
            "0 5 * * *",
            NEW_YORK,
            "2024-03-09T12:00Z",
            ["2024-03-10T09:00Z", "2024-03-11T09:00Z", "2024-03-12T09:00Z", "2024-03-13T09:00Z", "2024-03-14T09:00Z"],
            {},
            id="after-the-missing-hour",
        ),
        pytest.param(
            "30 1 * * *",
            NEW_YORK,
            "2026-10-31T12:00Z",
            ["2026-11-01T05:30Z", "2026-11-02T06:30Z", "2026-11-03T06:30Z", "2026-11-04T06:30Z", "2026-11-05T06:30Z"],
            {"2026-11-01T05:30Z": Mark.ONCE},
            id="repeated-hour",
        ),
        pytest.param(
            "20 2 * * *",
            "Europe/Paris",
            "2026-10-24T12:00Z",
            ["2026-10-25T00:20Z", "2026-10-26T01:20Z", "2026-10-27T01:20Z", "2026-10-28T01:20Z", "2026-10-29T01:20Z"],
            {"2026-10-25T00:20Z": Mark.ONCE},
            id="repeated-hour-in-paris",
        ),
        pytest.param(
            "0 12 * * 1",
            "Europe/Amsterdam",
            "2013-10-25T10:00Z",
            ["2013-10-28T11:00Z", "2013-11-04T11:00Z", "2013-11-11T11:00Z", "2013-11-18T11:00Z", "2013-11-25T11:00Z"],
            {},
            id="the-day-after",
        ),
    ],
)
def test_due_times_around_a_clock_change_are_those_of_debians_cron(expression, zone, after, expected, marks):
    found = preview(Cron(expression, zone), after=datetime.fromisoformat(after), count=5)

    assert found.times == instants(*expected)
    assert {each.at: each.mark for each in found.fires if each.mark} == {
        datetime.fromisoformat(at): mark for at, mark in marks.items()
    }
    assert len(found.notes) == len(marks)


def test_a_note_says_what_the_clock_change_does():
    moved = preview(Cron("30 2 * * *", NEW_YORK), after=SPRING, count=2)
    once = preview(Cron("30 1 * * *", NEW_YORK), after=AUTUMN, count=2)

    assert moved.notes == ("clock change on 2026-03-08: 02:30 does not exist; runs at 03:00 EDT",)
    assert once.notes == ("clock change on 2026-11-01: 01:30 comes twice; runs the first time only",)
    assert [each.note for each in moved.fires] == [*moved.notes, ""]


def test_a_due_time_before_the_change_is_marked_even_if_the_preview_ends_there():
    found = preview(Cron("30 1 * * *", NEW_YORK), after=AUTUMN, count=1)

    assert lines(found) == [("01T05:30", Mark.ONCE)]


def test_a_preview_that_begins_between_both_passes_marks_the_second():
    found = preview(Cron("*/30 1 * * *", NEW_YORK), after=datetime(2026, 11, 1, 5, 45, tzinfo=UTC), count=3)

    assert lines(found) == [("01T06:00", Mark.TWICE), ("01T06:30", Mark.TWICE), ("02T06:00", None)]


def test_what_a_clock_change_takes_away_is_a_line_that_does_not_run():
    found = preview(Cron("*/30 1-2 * * *", NEW_YORK), after=SPRING, count=3)

    assert lines(found) == [("08T06:00", None), ("08T06:30", None), ("08T07:00", Mark.SKIPPED), ("09T05:00", None)]
    assert found.times == instants("2026-03-08T06:00Z", "2026-03-08T06:30Z", "2026-03-09T05:00Z")
    assert found.notes == ("clock change on 2026-03-08: 02:00 and 02:30 do not exist; skipped",)


def test_a_jump_over_a_whole_day_is_seen():
    found = preview(Cron("30 0 30 12 *", "Pacific/Apia"), after=datetime(2011, 12, 28, tzinfo=UTC), count=1)

    assert [each.mark for each in found.fires] == [Mark.SKIPPED, None]


def test_a_schedule_that_keeps_pace_with_real_time_has_no_notes():
    for schedule in (Cron("*/15 * * * *", NEW_YORK), Every(HOUR)):
        assert preview(schedule, after=SPRING, until=SPRING + timedelta(days=2)).notes == ()


def test_an_excluded_day_is_one_line_however_often_the_job_was_due():
    schedule = excluding(Cron("0 */6 * * *"), [date(2026, 1, 16)], ZoneInfo("UTC"))

    found = preview(schedule, after=NOON, count=3)

    assert lines(found) == [("15T18:00", None), ("16T00:00", Mark.EXCLUDED), ("17T00:00", None), ("17T06:00", None)]
    assert found.notes == ("2026-01-16 is excluded by the calendar",)


@pytest.mark.parametrize("expression", ["30 2 * * *", "*/30 2 * * *"], ids=["moved", "skipped"])
def test_a_clock_change_on_an_excluded_day_touches_nothing(expression):
    schedule = excluding(Cron(expression, NEW_YORK), [date(2026, 3, 8)], ZoneInfo(NEW_YORK))

    found = preview(schedule, after=SPRING, count=2)

    assert {each.mark for each in found.fires} <= {Mark.EXCLUDED, None}
    assert not any("clock change" in each for each in found.notes)


def test_what_was_skipped_is_shown_and_does_not_count():
    one, two = NOON + HOUR, NOON + 2 * HOUR

    found = preview(Cron("0 * * * *"), after=NOON, count=1, skipped={one: "Ann said so."})

    assert [(each.at, each.mark) for each in found.fires] == [(one, Mark.SKIPPED), (two, None)]
    assert found.times == (two,)
    assert found.notes == ("2026-01-15 13:00:00 UTC: Ann said so.",)


def test_both_ends_are_those_of_every_span():
    found = preview(Cron("0 * * * *"), after=NOON, until=NOON + 2 * HOUR)

    assert found.times == (NOON + HOUR, NOON + 2 * HOUR)
    assert not found.is_cut


def test_a_preview_says_when_more_follows():
    assert preview(Cron("0 * * * *"), after=NOON, until=NOON + 3 * HOUR, count=2).is_cut
    assert preview(Cron("* * * * * *"), after=NOON, until=NOON + 3 * HOUR).is_cut


@pytest.mark.parametrize(
    "schedule",
    [
        pytest.param(At(NOON), id="now"),
        pytest.param(At(NOON - HOUR), id="over"),
        pytest.param(excluding(At(NOON + HOUR), [date(2026, 1, 15)], ZoneInfo("UTC")), id="excluded"),
    ],
)
def test_what_never_runs_has_no_times(schedule):
    found = preview(schedule, after=NOON, count=10)

    assert found.times == ()
    assert not found.is_cut


EVER = [date(2026, 1, 1) + timedelta(days=number) for number in range(5_000)]


@pytest.mark.parametrize(
    "schedule",
    [
        pytest.param(Cron("* * * * * *"), id="each-second"),
        pytest.param(Cron("0 0 29 2 */7", NEW_YORK), id="a-sunday-in-a-leap-year"),
        pytest.param(Cron("30 2 8 3 *", NEW_YORK), id="yearly-near-a-change"),
        pytest.param(Every(timedelta(days=366)), id="each-366-days"),
        pytest.param(excluding(Cron("* * * * *"), EVER, ZoneInfo("UTC")), id="minutely-but-for-14-years"),
        pytest.param(excluding(Cron("0 0 29 2 *"), EVER, ZoneInfo("UTC")), id="rare-and-excluded"),
    ],
)
def test_the_work_is_bounded_whatever_is_asked(schedule):
    found = preview(schedule, after=datetime.min.replace(tzinfo=UTC), until=datetime.max.replace(tzinfo=UTC))

    assert len(found.times) <= PREVIEW_LIMIT
    assert len(found.fires) <= 2 * PREVIEW_LIMIT


def test_no_count_is_beyond_the_limit_and_none_is_nothing():
    assert len(preview(Cron("* * * * *"), after=NOON, count=PREVIEW_LIMIT * 10).times) == PREVIEW_LIMIT
    with pytest.raises(ValueError, match="at least one"):
        preview(Cron("* * * * *"), after=NOON, count=0)


def test_a_naive_beginning_is_refused():
    with pytest.raises(ValueError, match="aware"):
        preview(Cron("* * * * *"), after=datetime(2026, 1, 15))  # noqa: DTZ001 - what is refused
