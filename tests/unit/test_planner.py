"""Which due times become executions, which are missed, and what is due next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cronjobs.exceptions import InvalidSchedule
from cronjobs.scheduler.planner import Missed, Occurrence, Plan, Policy, first_run_time, plan
from cronjobs.schedules import At, CatchUp, Cron, Every

SECOND, MINUTE, HOUR, DAY = (timedelta(seconds=n) for n in (1, 60, 3_600, 86_400))
MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)
MINUTELY, SECONDLY = Cron("* * * * *"), Cron("* * * * * *")


def late(*times):
    return tuple(Occurrence(t, caught_up=True) for t in times)


def on_time(*times):
    return tuple(Occurrence(t, caught_up=False) for t in times)


def test_a_due_time_that_has_come_is_run_and_the_next_one_set():
    decided = plan(MINUTELY, Policy(), due=MIDNIGHT, now=MIDNIGHT + 0.3 * SECOND)

    assert decided == Plan(on_time(MIDNIGHT), None, MIDNIGHT + MINUTE)


def test_a_due_time_is_run_at_its_very_instant():
    decided = plan(MINUTELY, Policy(), due=MIDNIGHT, now=MIDNIGHT)

    assert decided == Plan(on_time(MIDNIGHT), None, MIDNIGHT + MINUTE)


def test_a_due_time_in_the_future_decides_nothing():
    decided = plan(MINUTELY, Policy(), due=MIDNIGHT, now=MIDNIGHT - SECOND)

    assert decided == Plan((), None, MIDNIGHT)


def test_a_due_time_far_ahead_is_corrected_when_the_clock_was_set_back():
    decided = plan(MINUTELY, Policy(), due=MIDNIGHT + 2 * HOUR, now=MIDNIGHT + SECOND)

    assert decided == Plan((), None, MIDNIGHT + MINUTE)


@pytest.mark.parametrize(
    ("policy", "run"),
    [
        pytest.param(Policy(), late(MIDNIGHT), id="latest"),
        pytest.param(Policy(catch_up=CatchUp.SKIP), (), id="skip"),
        pytest.param(
            Policy(catch_up=CatchUp.ALL, catch_up_cap=3),
            late(MIDNIGHT - 2 * MINUTE, MIDNIGHT - MINUTE, MIDNIGHT),
            id="all-capped",
        ),
        pytest.param(
            Policy(catch_up=CatchUp.ALL, misfire_grace=90 * SECOND),
            late(MIDNIGHT - MINUTE, MIDNIGHT),
            id="all-in-grace",
        ),
        pytest.param(Policy(misfire_grace=29 * SECOND), (), id="latest-beyond-grace"),
        pytest.param(Policy(misfire_grace=30 * SECOND), late(MIDNIGHT), id="latest-just-within-grace"),
    ],
)
def test_after_a_day_offline_catch_up_chooses_and_the_rest_is_one_record(policy, run):
    due = MIDNIGHT - DAY + MINUTE

    decided = plan(MINUTELY, policy, due=due, now=MIDNIGHT + 30 * SECOND)

    assert decided.occurrences == run
    assert decided.missed == Missed(due, MIDNIGHT - len(run) * MINUTE, 1440 - len(run))
    assert decided.next_run_time == MIDNIGHT + MINUTE


def test_a_newest_due_time_that_is_on_time_is_the_only_one_that_runs():
    decided = plan(MINUTELY, Policy(), due=MIDNIGHT - DAY + MINUTE, now=MIDNIGHT + 4 * SECOND)

    assert decided.occurrences == on_time(MIDNIGHT)
    assert decided.missed == Missed(MIDNIGHT - DAY + MINUTE, MIDNIGHT - MINUTE, 1439)


def test_catching_up_all_adds_to_what_is_on_time():
    policy = Policy(catch_up=CatchUp.ALL, catch_up_cap=2)

    decided = plan(MINUTELY, policy, due=MIDNIGHT - 5 * MINUTE, now=MIDNIGHT + SECOND)

    assert decided.occurrences == (*late(MIDNIGHT - 2 * MINUTE, MIDNIGHT - MINUTE), *on_time(MIDNIGHT))
    assert decided.missed == Missed(MIDNIGHT - 5 * MINUTE, MIDNIGHT - 3 * MINUTE, 3)


@pytest.mark.parametrize("catch_up", list(CatchUp))
def test_an_every_second_schedule_behind_a_slow_tick_loses_nothing(catch_up):
    decided = plan(SECONDLY, Policy(catch_up=catch_up), due=MIDNIGHT, now=MIDNIGHT + 2.4 * SECOND)

    assert decided == Plan(on_time(*(MIDNIGHT + n * SECOND for n in range(3))), None, MIDNIGHT + 3 * SECOND)


@pytest.mark.parametrize("grace", [timedelta(0), HOUR])
@pytest.mark.parametrize(
    ("age", "is_late"), [(5 * SECOND, False), (5 * SECOND + timedelta(microseconds=1), True)], ids=["5-s", "older"]
)
def test_what_is_five_seconds_old_is_on_time_whatever_the_grace(grace, age, is_late):
    policy = Policy(misfire_grace=grace, catch_up=CatchUp.SKIP)

    decided = plan(MINUTELY, policy, due=MIDNIGHT, now=MIDNIGHT + age)

    assert decided.occurrences == (() if is_late else on_time(MIDNIGHT))
    assert decided.missed == (Missed(MIDNIGHT, MIDNIGHT, 1) if is_late else None)


@pytest.mark.parametrize(
    ("age", "run", "missed"),
    [
        (timedelta(0), on_time(MIDNIGHT), None),
        (30 * MINUTE, late(MIDNIGHT), None),
        (HOUR, late(MIDNIGHT), None),
        (HOUR + SECOND, (), Missed(MIDNIGHT, MIDNIGHT, 1)),
    ],
    ids=str,
)
def test_a_single_instant_runs_once_or_is_missed_and_never_comes_again(age, run, missed):
    decided = plan(At(MIDNIGHT), Policy(), due=MIDNIGHT, now=MIDNIGHT + age)

    assert decided == Plan(run, missed, None)


def test_nothing_is_due_after_the_end():
    policy = Policy(ends_at=MIDNIGHT)

    assert first_run_time(MINUTELY, policy, now=MIDNIGHT - SECOND) == MIDNIGHT
    assert plan(MINUTELY, policy, due=MIDNIGHT, now=MIDNIGHT).next_run_time is None
    assert plan(MINUTELY, policy, due=MIDNIGHT, now=MIDNIGHT + SECOND).occurrences == on_time(MIDNIGHT)
    assert plan(MINUTELY, policy, due=MIDNIGHT + MINUTE, now=MIDNIGHT + DAY) == Plan((), None, None)


def test_what_was_due_before_the_end_is_still_decided_after_it():
    policy = Policy(ends_at=MIDNIGHT)

    decided = plan(MINUTELY, policy, due=MIDNIGHT - 2 * MINUTE, now=MIDNIGHT + 10 * MINUTE)

    assert decided == Plan(late(MIDNIGHT), Missed(MIDNIGHT - 2 * MINUTE, MIDNIGHT - MINUTE, 2), None)


def test_nothing_is_due_before_the_start():
    policy = Policy(starts_at=MIDNIGHT, catch_up=CatchUp.ALL)

    assert first_run_time(MINUTELY, policy, now=MIDNIGHT - DAY) == MIDNIGHT
    assert plan(MINUTELY, policy, due=MIDNIGHT - HOUR, now=MIDNIGHT - 30 * MINUTE) == Plan((), None, MIDNIGHT)
    assert plan(MINUTELY, policy, due=MIDNIGHT - HOUR, now=MIDNIGHT + MINUTE).occurrences == (
        *late(MIDNIGHT),
        *on_time(MIDNIGHT + MINUTE),
    )


def test_a_new_job_starts_from_now_and_never_in_the_past():
    assert first_run_time(MINUTELY, Policy(), now=MIDNIGHT) == MIDNIGHT + MINUTE
    assert first_run_time(MINUTELY, Policy(starts_at=MIDNIGHT), now=MIDNIGHT + DAY) == MIDNIGHT + DAY + MINUTE
    assert first_run_time(At(MIDNIGHT), Policy(), now=MIDNIGHT) is None
    assert first_run_time(MINUTELY, Policy(ends_at=MIDNIGHT), now=MIDNIGHT) is None


@pytest.mark.parametrize(
    ("restart", "next_run"),
    [
        (datetime(2017, 9, 13, 18, tzinfo=UTC), datetime(2017, 9, 13, 20, 30, tzinfo=UTC)),
        (datetime(2017, 9, 13, 20, 50, tzinfo=UTC), datetime(2017, 9, 14, 20, 30, tzinfo=UTC)),
    ],
    ids=str,
)
def test_a_new_time_zone_neither_fires_the_past_nor_waits_a_day_too_long(restart, next_run):
    moved = Cron("30 16 * * *").in_zone("America/New_York")
    stored = datetime(2017, 9, 14, 16, 30, tzinfo=UTC)

    assert first_run_time(moved, Policy(), now=restart) == next_run
    assert plan(moved, Policy(), due=stored, now=restart) == Plan((), None, next_run)


def test_a_time_zone_of_its_own_is_not_moved_by_the_settings():
    own = Cron("30 16 * * *", "Asia/Tokyo")
    restart = datetime(2017, 9, 13, 18, tzinfo=UTC)

    assert first_run_time(own.in_zone("America/New_York"), Policy(), now=restart) == datetime(
        2017, 9, 14, 7, 30, tzinfo=UTC
    )


def test_a_daily_job_in_a_skipped_hour_is_neither_missed_nor_run_twice():
    nightly = Cron("30 2 * * *", "America/New_York")
    moved_to, following = datetime(2026, 3, 8, 7, tzinfo=UTC), datetime(2026, 3, 9, 6, 30, tzinfo=UTC)

    decided = plan(nightly, Policy(), due=moved_to, now=moved_to + SECOND)

    assert decided == Plan(on_time(moved_to), None, following)


def test_an_instant_in_another_zone_is_the_same_instant():
    zone = ZoneInfo("Asia/Kathmandu")

    decided = plan(MINUTELY, Policy(), due=MIDNIGHT.astimezone(zone), now=(MIDNIGHT + SECOND).astimezone(zone))

    assert decided == plan(MINUTELY, Policy(), due=MIDNIGHT, now=MIDNIGHT + SECOND)
    assert decided.next_run_time is not None
    assert decided.next_run_time.tzinfo is UTC


@pytest.mark.parametrize("schedule", [MINUTELY, SECONDLY, Cron("*/5 * * * *", "Europe/Paris"), Every(SECOND)], ids=str)
@pytest.mark.parametrize("catch_up", list(CatchUp))
def test_a_year_offline_is_one_row_with_its_span(schedule, catch_up):
    policy = Policy(catch_up=catch_up, misfire_grace=timedelta(days=400))
    due = schedule.next_after(MIDNIGHT - 365 * DAY)

    decided = plan(schedule, policy, due=due, now=MIDNIGHT + 30 * SECOND)

    assert decided.missed is not None
    assert (decided.missed.first, decided.missed.count) == (due, 10_001)
    assert decided.next_run_time == first_run_time(schedule, policy, now=MIDNIGHT + 30 * SECOND)


def test_a_grace_without_limit_is_no_trouble():
    policy = Policy(misfire_grace=timedelta.max)

    assert plan(At(MIDNIGHT), policy, due=MIDNIGHT, now=MIDNIGHT + 9_000 * DAY).occurrences == late(MIDNIGHT)


@pytest.mark.parametrize(
    ("field", "sentence", "values"),
    [
        ("misfire_grace", "misfire_grace must not be negative", {"misfire_grace": -SECOND}),
        ("catch_up_cap", "catch_up_cap must be at least 1", {"catch_up_cap": 0}),
        ("starts_at", "starts_at must be an aware datetime", {"starts_at": MIDNIGHT.replace(tzinfo=None)}),
        ("ends_at", "ends_at must be an aware datetime", {"ends_at": MIDNIGHT.replace(tzinfo=None)}),
        ("ends_at", "ends_at must not be before starts_at", {"starts_at": MIDNIGHT, "ends_at": MIDNIGHT - SECOND}),
    ],
)
def test_a_policy_that_cannot_be_meant_is_refused(field, sentence, values):
    with pytest.raises(InvalidSchedule) as caught:
        Policy(**values)

    assert caught.value.field == field
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize("naive", ["due", "now"])
def test_a_naive_datetime_is_not_planned_with(naive):
    times = {"due": MIDNIGHT, "now": MIDNIGHT, naive: MIDNIGHT.replace(tzinfo=None)}

    with pytest.raises(ValueError, match="naive"):
        plan(MINUTELY, Policy(), **times)
    with pytest.raises(ValueError, match="naive"):
        first_run_time(MINUTELY, Policy(starts_at=MIDNIGHT), now=MIDNIGHT.replace(tzinfo=None))


durations = st.integers(0, 3 * 3_600_000).map(lambda n: timedelta(milliseconds=n))
bounds = st.none() | durations.map(lambda d: MIDNIGHT - d)
policies = st.builds(
    Policy,
    misfire_grace=durations,
    catch_up=st.sampled_from(CatchUp),
    catch_up_cap=st.integers(1, 50),
    starts_at=bounds,
    ends_at=bounds.map(lambda t: t and t + 4 * HOUR),
)
schedules = st.sampled_from(
    [MINUTELY, Cron("*/7 * * * *"), Cron("*/20 * * * * *"), Cron("0 0 * * *"), Every(90 * SECOND), At(MIDNIGHT - HOUR)]
)


@settings(max_examples=300, deadline=None)
@given(schedules, policies, durations, durations)
def test_every_due_time_is_decided_exactly_once(schedule, policy, before, offline):
    due = MIDNIGHT - before
    now = due + offline
    opening, closing = max(due, policy.starts_at or due), min(now, policy.ends_at or now)
    everything = [t for t in schedule.due_between(due - SECOND, now) if opening <= t <= closing]

    decided = plan(schedule, policy, due=due, now=now)

    run = [occurrence.scheduled_for for occurrence in decided.occurrences]
    missed = everything[: len(everything) - len(run)]
    assert missed + run == everything
    assert decided.missed == (Missed(missed[0], missed[-1], len(missed)) if missed else None)


@settings(max_examples=300, deadline=None)
@given(schedules, policies, durations, durations)
def test_what_runs_late_is_within_grace_and_within_the_cap(schedule, policy, before, offline):
    due = MIDNIGHT - before
    now = due + offline

    decided = plan(schedule, policy, due=due, now=now)

    caught_up = [occurrence.scheduled_for for occurrence in decided.occurrences if occurrence.caught_up]
    punctual = [occurrence.scheduled_for for occurrence in decided.occurrences if not occurrence.caught_up]
    cap = {CatchUp.SKIP: 0, CatchUp.LATEST: 0 if punctual else 1, CatchUp.ALL: policy.catch_up_cap}[policy.catch_up]
    assert len(caught_up) <= cap
    assert all(5 * SECOND < now - t <= policy.misfire_grace for t in caught_up)
    assert all(now - t <= 5 * SECOND for t in punctual)
    assert decided.next_run_time is None or decided.next_run_time > now
    if decided.missed and len(caught_up) < cap:
        assert now - decided.missed.last > policy.misfire_grace


def test_a_window_may_be_a_single_instant():
    policy = Policy(starts_at=MIDNIGHT, ends_at=MIDNIGHT)

    assert plan(MINUTELY, policy, due=MIDNIGHT, now=MIDNIGHT).occurrences == on_time(MIDNIGHT)
