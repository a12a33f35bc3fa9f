"""The lifecycle, every pair of it."""

from __future__ import annotations

import itertools

import pytest

from cronjobs.exceptions import IllegalMove
from cronjobs.states import FINAL, MOVES, OPEN, ExecutionStatus, ensure_move

ALLOWED = {
    ("queued", "running"),
    ("queued", "cancelled"),
    ("queued", "skipped"),
    ("running", "succeeded"),
    ("running", "failed"),
    ("running", "queued"),
    ("running", "timed_out"),
    ("running", "cancelled"),
    ("running", "lost"),
    ("running", "skipped"),
    ("timed_out", "queued"),
    ("lost", "queued"),
    ("skipped", "queued"),
}


@pytest.mark.parametrize(
    "pair", [pytest.param(pair, id="-".join(pair)) for pair in itertools.product(ExecutionStatus.values, repeat=2)]
)
def test_every_ordered_pair_of_states_is_allowed_or_raises(pair):
    if pair in ALLOWED:
        ensure_move(*pair)
        return

    with pytest.raises(IllegalMove, match=f"{pair[0]} cannot become {pair[1]}"):
        ensure_move(*pair)


def test_every_state_is_reachable_or_a_beginning():
    reachable = {target for targets in MOVES.values() for target in targets}

    assert set(ExecutionStatus) - reachable == {ExecutionStatus.MISSED}


def test_a_state_is_either_open_or_final():
    assert set(ExecutionStatus) == OPEN | FINAL
    assert not OPEN & FINAL
