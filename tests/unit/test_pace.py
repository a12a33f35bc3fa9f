"""How much a purge deletes at a time."""

from __future__ import annotations

import pytest

from cronjobs.retention import LARGEST_BATCH, Pace
from cronjobs.retention.pace import next_size


@pytest.mark.parametrize(
    ("size", "took", "expected"),
    [
        pytest.param(200, 0.1, 200, id="as-wanted"),
        pytest.param(200, 0.05, 400, id="twice-as-fast"),
        pytest.param(200, 0.0, 400, id="at-most-twice-as-many"),
        pytest.param(200, 0.16, 125, id="a-bit-slow"),
        pytest.param(200, 60.0, 100, id="at-least-half"),
        pytest.param(20, 60.0, 20, id="never-fewer-than-twenty"),
        pytest.param(LARGEST_BATCH, 0.001, LARGEST_BATCH, id="never-more-than-a-statement-takes"),
    ],
)
def test_the_next_batch_takes_a_tenth_of_a_second(size, took, expected):
    assert next_size(size, took) == expected


def test_a_fixed_size_stays():
    pace = Pace(rest=lambda _: False, size=5)

    with pace.batch():
        pass

    assert pace.size == 5


def test_it_rests_after_each_batch_and_learns_whether_to_stop():
    rests = []
    pace = Pace(rest=lambda seconds: bool(rests.append(seconds)) or len(rests) == 2)

    for _ in range(2):
        assert not pace.is_stopped
        with pace.batch():
            pass

    assert pace.is_stopped
    assert all(0 < each <= 1 for each in rests)
