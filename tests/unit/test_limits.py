"""Rate limits and sizes, from text."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cronjobs.exceptions import InvalidLimit
from cronjobs.limits import RateLimit, parse_bytes, parse_rate_limit


@pytest.mark.parametrize(
    ("text", "limit", "shown"),
    [
        ("10/m", RateLimit(10, timedelta(minutes=1)), "10/m"),
        ("1/90s", RateLimit(1, timedelta(seconds=90)), "1/90s"),
        (" 100 / 2 h ", RateLimit(100, timedelta(hours=2)), "100/2h"),
        ("5/60s", RateLimit(5, timedelta(minutes=1)), "5/m"),
        ("1/7d", RateLimit(1, timedelta(days=7)), "1/7d"),
        ("600/min", RateLimit(600, timedelta(minutes=1)), "600/m"),
        ("1/2hour", RateLimit(1, timedelta(hours=2)), "1/2h"),
    ],
)
def test_a_rate_limit_is_starts_per_period(text, limit, shown):
    assert parse_rate_limit(text) == limit
    assert str(limit) == shown
    assert parse_rate_limit(shown) == limit


@pytest.mark.parametrize(
    "text", ["", "10", "/m", "10/", "0/m", "5/0s", "1/400d", "10/week", "10/minutes", "10/mi", "1.5/m", "-1/m", "10m"]
)
def test_what_is_no_rate_limit_is_refused(text):
    with pytest.raises(InvalidLimit, match="rate limit"):
        parse_rate_limit(text)


@pytest.mark.parametrize(
    ("value", "number"),
    [(1, 1), ("4096", 4096), ("512M", 512 * 2**20), ("2 GiB", 2**31), ("1kb", 1024), ("3t", 3 * 2**40)],
)
def test_a_size_is_a_number_or_has_a_unit(value, number):
    assert parse_bytes(value) == number


@pytest.mark.parametrize("value", [0, -1, "0 k", "", "several", "1.5G", "1 X", "-2"])
def test_what_is_no_size_is_refused(value):
    with pytest.raises(InvalidLimit, match="memory limit"):
        parse_bytes(value)
