"""When a failed attempt is tried again."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from bson.errors import InvalidId
from django.core.exceptions import ValidationError
from mongoengine.errors import ValidationError as MongoValidationError

from cronjobs import Retry, RetryPolicy
from cronjobs.retries import with_retry

ERROR = RuntimeError("boom")


def seconds(policy, attempt, error=ERROR, rand=lambda: 0.5):
    delay = policy.delay_after(attempt, error, rand=rand)
    return None if delay is None else delay.total_seconds()


@pytest.mark.parametrize(
    ("attempt", "expected"),
    [
        *[pytest.param(n, 60.0 * 2 ** (n - 1), id=f"grows-{n}") for n in range(1, 7)],
        *[pytest.param(n, 3600.0, id=f"capped-{n}") for n in (7, 10, 47, 1024, 5000)],
    ],
)
def test_delays_double_up_to_the_cap_and_never_overflow(attempt, expected):
    policy = RetryPolicy(
        max_attempts=10_000, initial_delay=timedelta(minutes=1), max_delay=timedelta(hours=1), jitter=0
    )

    assert seconds(policy, attempt) == expected


def test_without_a_cap_a_delay_is_at_most_a_year():
    policy = RetryPolicy(max_attempts=10_000, max_delay=None, backoff_multiplier=5, jitter=0)

    assert seconds(policy, 20) == timedelta(days=365).total_seconds()
    assert seconds(policy, 9_999) == timedelta(days=365).total_seconds()


def test_jitter_stays_within_its_fraction_and_the_cap():
    policy = RetryPolicy(max_attempts=9, initial_delay=timedelta(seconds=10), max_delay=timedelta(seconds=30), jitter=1)

    for step in range(101):
        for attempt in range(1, 9):
            assert 0 <= seconds(policy, attempt, rand=lambda step=step: step / 100) <= 30


@pytest.mark.parametrize(("rolled", "expected"), [(0.0, 8.0), (0.5, 10.0), (1.0, 12.0)])
def test_jitter_goes_from_less_to_more(rolled, expected):
    policy = RetryPolicy(initial_delay=10, max_delay=60, jitter=0.2)

    assert seconds(policy, 1, rand=lambda: rolled) == pytest.approx(expected)


@pytest.mark.parametrize(("multiplier", "expected"), [(1, [10.0, 10.0, 10.0]), (1.5, [10.0, 15.0, 22.5])])
def test_delays_may_grow_slowly_or_not_at_all(multiplier, expected):
    policy = RetryPolicy(max_attempts=9, initial_delay=10, max_delay=60, backoff_multiplier=multiplier, jitter=0)

    assert [seconds(policy, attempt) for attempt in (1, 2, 3)] == expected


def test_the_last_attempt_is_not_followed_by_another():
    assert seconds(RetryPolicy(max_attempts=3), 2) is not None
    assert seconds(RetryPolicy(max_attempts=3), 3) is None


def test_a_job_may_choose_its_own_delay():
    assert seconds(RetryPolicy(), 1, Retry("later", after=90)) == 90.0
    assert seconds(RetryPolicy(jitter=0), 1, Retry("soon")) == 1.0
    assert seconds(RetryPolicy(max_attempts=1), 1, Retry("never", after=90)) is None


class OwnTypeError(TypeError):
    pass


@pytest.mark.parametrize(
    "error",
    [
        TypeError("x"),
        OwnTypeError("x"),
        SyntaxError("x"),
        ValidationError("x"),
        MongoValidationError("x"),
        InvalidId("x"),
    ],
    ids=lambda error: f"{type(error).__module__}.{type(error).__name__}",
)
def test_what_trying_again_cannot_mend_is_never_retried(error):
    assert seconds(RetryPolicy(max_attempts=5), 1, error) is None


def test_a_policy_adds_to_what_is_never_retried():
    policy = RetryPolicy(max_attempts=5, never_retry=("builtins.KeyError",))

    assert seconds(policy, 1, KeyError("x")) is None
    assert seconds(policy, 1, TypeError("x")) is None
    assert seconds(policy, 1, ValueError("x")) is not None


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_attempts": 0},
        {"initial_delay": timedelta(seconds=-1)},
        {"max_delay": timedelta(seconds=-1)},
        {"backoff_multiplier": 0.5},
        {"jitter": 1.5},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_policy_that_cannot_be_meant_is_refused(wrong):
    with pytest.raises(ValueError, match="must"):
        RetryPolicy(**wrong)


def test_delays_may_be_said_in_seconds():
    policy = RetryPolicy(initial_delay=2, max_delay=2.5, jitter=0)

    assert policy == RetryPolicy(initial_delay=timedelta(seconds=2), max_delay=timedelta(seconds=2.5), jitter=0)
    assert [seconds(policy, attempt) for attempt in (1, 2)] == [2, 2.5]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"initial_delay": "2"}, "initial_delay must be a timedelta or a number of seconds, not '2'."),
        ({"max_delay": True}, "max_delay must be a timedelta or a number of seconds, not True."),
        ({"max_delay": float("nan")}, "max_delay is not a usable number of seconds: nan."),
        ({"initial_delay": None}, "initial_delay must be a timedelta or a number of seconds, not None."),
    ],
    ids=lambda each: repr(each)[:30],
)
def test_what_is_no_delay_is_refused_in_words(wrong, sentence):
    with pytest.raises((TypeError, ValueError)) as caught:
        RetryPolicy(**wrong)

    assert str(caught.value) == sentence


class Flaky:
    def __init__(self, failures, error=ERROR):
        self.calls, self.failures, self.error = 0, failures, error

    def __call__(self, value):
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error
        return value


def test_with_retry_returns_what_the_first_success_returns():
    waits: list[float] = []
    flaky = Flaky(2)

    assert with_retry(flaky, sleep=waits.append)("ok") == "ok"
    assert flaky.calls == 3
    assert len(waits) == 2
    assert 0.9 <= waits[0] <= 1.1
    assert 1.8 <= waits[1] <= 2.2


def test_with_retry_raises_the_last_error_as_it_was():
    flaky = Flaky(9)

    with pytest.raises(RuntimeError) as caught:
        with_retry(flaky, max_attempts=2, sleep=lambda seconds: None)("ok")

    assert caught.value is ERROR
    assert flaky.calls == 2


def test_with_retry_gives_up_after_three_attempts_unless_it_is_told_otherwise():
    flaky = Flaky(9)

    with pytest.raises(RuntimeError):
        with_retry(flaky, sleep=lambda seconds: None)("ok")

    assert flaky.calls == 3


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param({"initial_delay": 20.0, "backoff_multiplier": 3.0}, [20.0, 30.0, 30.0], id="30-s-at-most"),
        pytest.param({"initial_delay": 2.0, "backoff_multiplier": 3.0, "max_delay": 7.0}, [2.0, 6.0, 7.0], id="all"),
    ],
)
def test_with_retry_waits_as_it_was_told(options, expected):
    waits: list[float] = []

    with_retry(Flaky(3), 4, **options, sleep=waits.append)("ok")

    assert waits == pytest.approx(expected, rel=0.1)
    assert all(wait <= options.get("max_delay", 30.0) for wait in waits)


def test_with_retry_takes_coroutines():
    calls = []

    async def flaky():
        calls.append(1)
        if len(calls) < 3:
            raise ERROR
        return "ok"

    assert asyncio.run(with_retry(flaky, initial_delay=0.0)()) == "ok"
    assert len(calls) == 3


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        pytest.param({"max_attempts": "3"}, "max_attempts must be a whole number, not '3'", id="text"),
        pytest.param({"max_attempts": 2.5}, "max_attempts must be a whole number, not 2.5", id="part"),
        pytest.param({"max_attempts": True}, "max_attempts must be a whole number, not True", id="true"),
        pytest.param({"backoff_multiplier": "2"}, "backoff_multiplier must be a number, not '2'", id="multiplier"),
        pytest.param({"jitter": None}, "jitter must be a number, not None", id="jitter"),
        pytest.param({"never_retry": "builtins.ValueError"}, "never_retry must be a list of", id="one-name"),
        pytest.param({"never_retry": (ValueError,)}, "never_retry must be a list of", id="classes"),
    ],
)
def test_what_is_not_of_its_kind_is_refused_with_a_sentence(options, sentence):
    with pytest.raises(TypeError, match=sentence):
        RetryPolicy(**options)


def test_a_multiplier_that_is_no_number_at_all_is_refused():
    with pytest.raises(ValueError, match="backoff_multiplier must be at least 1, not nan"):
        RetryPolicy(backoff_multiplier=float("nan"))
