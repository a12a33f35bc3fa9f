"""Percentiles of which only the buckets are known."""

from __future__ import annotations

from bisect import bisect_left

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronjobs.models.counts import BOUNDS
from cronjobs.models.figures import Percentiles, estimated_percentiles


def buckets_of(values):
    places = [bisect_left(BOUNDS, each) for each in values]
    return [places.count(n) for n in range(len(BOUNDS))]


def estimate(values):
    return estimated_percentiles(buckets_of(values), len(values), max(values, default=None))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([7], Percentiles(4, 7), id="one"),
        pytest.param([100] * 10, Percentiles(75, 98), id="of-one-bucket"),
        pytest.param([5] * 90 + [90] * 10, Percentiles(6, 70), id="of-two"),
        pytest.param([4_000_000] * 4, Percentiles(3_800_000, 3_980_000), id="beyond-the-last-bound"),
        pytest.param([0] * 3, Percentiles(0, 0), id="noughts"),
    ],
)
def test_a_value_is_put_in_proportion_within_its_bucket(values, expected):
    assert estimate(values) == expected


def test_of_nothing_there_are_none():
    assert estimate([]) is None


@given(st.lists(st.integers(0, 8_000_000), min_size=1, max_size=50))
def test_an_estimate_is_in_the_bucket_of_the_exact_value(values):
    found, ordered = estimate(values), sorted(values)
    for share, guess in ((0.5, found.p50), (0.95, found.p95)):
        exact = next(each for n, each in enumerate(ordered, 1) if n >= share * len(ordered))
        place = bisect_left(BOUNDS, exact)
        low = 0 if place == 0 else BOUNDS[place - 1]
        high = BOUNDS[place] if place < len(BOUNDS) else max(values)
        assert low <= guess <= min(high, max(values))


@given(st.lists(st.integers(0, 8_000_000), min_size=1, max_size=50))
def test_without_the_greatest_value_nothing_is_beyond_the_last_bound(values):
    found = estimated_percentiles(buckets_of(values), len(values), None)

    assert 0 <= found.p50 <= found.p95 <= BOUNDS[-1]
