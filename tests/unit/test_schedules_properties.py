"""Laws that hold for every schedule, checked on generated ones against the daemon played minute by minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from cronjobs.exceptions import InvalidSchedule
from cronjobs.schedules import At, Cron, Every, clock_changes, parse_schedule
from tests.unit.oracle import Line, daemon_runs

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
ZONES = [
    "UTC",
    "Africa/Casablanca",
    "America/New_York",
    "America/Sao_Paulo",
    "Antarctica/Troll",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Europe/Paris",
    "Pacific/Apia",
]
FROM, TO = datetime(1985, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC)
CHANGES = [(zone, change.at) for zone in ZONES for change in clock_changes(ZoneInfo(zone), FROM, TO)]

seconds = st.integers(0, 40 * 3600).map(lambda n: timedelta(seconds=n))
instants = st.datetimes(FROM.replace(tzinfo=None), TO.replace(tzinfo=None), timezones=st.just(UTC))
near_changes = st.sampled_from(CHANGES).flatmap(lambda at: st.tuples(st.just(at[0]), seconds.map(lambda s: at[1] - s)))
anywhere = st.tuples(st.sampled_from(ZONES), instants)
# A zone and an instant in it, mostly shortly before a clock change.
places = st.one_of(near_changes, near_changes, anywhere)


def fields(low, high, *special):
    number = st.integers(low, high)
    span = st.tuples(number, number).map(lambda ends: f"{min(ends)}-{max(ends)}")
    step = st.integers(1, high + 2)
    term = st.one_of(
        number.map(str),
        span,
        st.tuples(span, step).map(lambda pair: f"{pair[0]}/{pair[1]}"),
        step.map(lambda n: f"*/{n}"),
        *([st.sampled_from(special)] if special else []),
    )
    return st.one_of(st.just("*"), st.lists(term, min_size=1, max_size=3).map(",".join))


minutes, hours = fields(0, 59), fields(0, 23)
days = st.one_of(st.just("*"), fields(1, 31, "L", "LW"))
months = st.one_of(st.just("*"), st.just("*"), fields(1, 12, "jan", "SEP", "mar-nov"))
weekdays = st.one_of(st.just("*"), fields(0, 7, "sun", "MON", "tue-sat", "5L", "1#2", "sun#5", "7L"))
five_fields = st.tuples(minutes, hours, days, months, weekdays).map(" ".join)
second_fields = st.one_of(st.just("0"), st.sampled_from(["*", "*/7", "5", "0,30", "58-59"]))


def read(text):
    """The schedule that a text is, or why it is none."""
    try:
        return parse_schedule(text)
    except InvalidSchedule as refusal:
        return refusal


whole_instants = instants.map(lambda t: t.replace(microsecond=0))
intervals = st.integers(1, 366 * 86_400).map(lambda n: timedelta(seconds=n))
schedules = st.one_of(
    five_fields.map(read).filter(lambda found: isinstance(found, Cron)),
    st.builds(Every, intervals),
    st.builds(Every, intervals, anchor=whole_instants),
    st.builds(At, whole_instants),
)


def cron(expression, zone):
    try:
        return Cron(expression, zone)
    except InvalidSchedule as refusal:
        assume("no date ever matches" not in str(refusal))
        raise


@settings(max_examples=300, deadline=None)
@given(five_fields, places, st.integers(1, 3 * 24 * 60))
@example("30 2 * * *", ("America/New_York", datetime(2026, 3, 8, 6, 59, 59, tzinfo=UTC)), 60)
@example("0 12 * * *", ("Pacific/Apia", datetime(2011, 12, 29, tzinfo=UTC)), 4000)
def test_the_due_times_are_the_daemons(expression, place, length):
    (zone, start), end = place, place[1] + length * MINUTE

    found = list(cron(expression, zone).due_between(start, end))

    assert found == daemon_runs([Line(expression)], ZoneInfo(zone), start, end)[0]


@settings(max_examples=100, deadline=None)
@given(second_fields, five_fields, places, st.integers(1, 24 * 3600))
def test_seconds_count_within_the_minutes_that_five_fields_choose(second, expression, place, length):
    (zone, start), end = place, place[1] + timedelta(seconds=length)
    wanted = [at.second for at in Cron(f"{second} * * * * *").due_between(FROM - MINUTE / 60, FROM + MINUTE * 59 / 60)]

    found = list(cron(f"{second} {expression}", zone).due_between(start, end))

    whole_minutes = cron(expression, zone).due_between(start - MINUTE, end)
    expected = [at + timedelta(seconds=s) for at in whole_minutes for s in wanted]
    assert found == [at for at in expected if start < at <= end]


@settings(max_examples=200, deadline=None)
@given(second_fields, five_fields, places, st.integers(0, 5 * 24 * 3600), st.integers(0, 2000))
def test_counts_and_backward_walks_equal_the_forward_walk(second, expression, place, length, limit):
    (zone, start), end = place, place[1] + timedelta(seconds=length)
    schedule = cron(f"{second} {expression}", zone)

    walk = list(schedule.due_between(start, end))

    assert schedule.count_between(start, end, limit=limit) == min(len(walk), limit + 1)
    assert schedule.count_between(start, end, limit=1_000_000) == len(walk)
    assert schedule.latest_between(start, end) == (walk[-1] if walk else None)
    assert list(schedule.newest_first(start, end)) == walk[::-1]


@settings(max_examples=100, deadline=None)
@given(five_fields, places, st.integers(1, 20 * 366))
def test_counting_over_years_equals_walking_them(expression, place, length):
    (zone, start), end = place, place[1] + length * DAY
    schedule = cron(expression, zone)
    limit = 2000

    walked = sum(1 for _ in islice(schedule.due_between(start, end), limit + 1))

    assert schedule.count_between(start, end, limit=limit) == walked


@settings(max_examples=200, deadline=None)
@given(five_fields, places)
def test_due_times_increase_strictly_and_do_not_depend_on_where_one_starts(expression, place):
    zone, start = place
    schedule = cron(expression, zone)

    found = list(islice(schedule.due_between(start, datetime(2200, 1, 1, tzinfo=UTC)), 8))
    rebased = [schedule.next_after(t.astimezone(ZoneInfo(zone))) for t in [start, *found[:-1]]]

    assert start < found[0]
    assert all(earlier < later for earlier, later in pairwise(found))
    assert rebased == found
    assert schedule.latest_between(start, found[-1]) == found[-1]
    assert schedule.latest_between(start, found[-1] - MINUTE / 60) == (found[-2] if len(found) > 1 else None)


@settings(max_examples=100, deadline=None)
@given(intervals, whole_instants, instants, st.integers(0, 10**7))
def test_an_interval_is_due_at_its_multiples_and_at_nothing_else(interval, anchor, start, length):
    every = Every(interval, anchor=anchor)
    end = start + timedelta(seconds=length)

    found = list(islice(every.due_between(start, end), 50))

    assert all((t - every.anchor) % every.interval == timedelta(0) for t in found)
    assert all(later - earlier == every.interval for earlier, later in pairwise(found))
    assert len(list(every.due_between(start, start + every.interval))) == 1
    assert every.count_between(start, end, limit=49) == len(found)


@settings(max_examples=200, deadline=None)
@given(schedules)
def test_every_schedule_can_be_written_read_back_and_described(schedule):
    assert parse_schedule(str(schedule)) == schedule
    assert schedule.describe()[0].isupper()
    assert isinstance(getattr(schedule, "advice", tuple)(), tuple)


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.text(max_size=60), st.text("0123456789*/-,#LW? @everyatdhms\t", max_size=40)))
@example("* * * * *")
@example("@every 5m from ")
def test_any_text_is_a_schedule_or_is_refused(text):
    found = read(text)

    if isinstance(found, InvalidSchedule):
        assert found.field
        assert str(found)
    else:
        assert parse_schedule(str(found)) == found
