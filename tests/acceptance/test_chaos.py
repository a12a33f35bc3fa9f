"""Nodes are killed and stopped at random, and every promise is kept; longer runs: bench/chaos."""

from __future__ import annotations

import pytest

from tests.acceptance.programs import own_server, this_server, verdict_of

pytestmark = [pytest.mark.slow, pytest.mark.django_db]


def test_nodes_that_are_killed_at_random_keep_every_promise():
    verdict = verdict_of(
        "chaos", "--seconds", "15", "--jobs", "60", "--kill-every", "2-4", "--lease", "3", *this_server()
    )

    assert verdict["broken"] == []
    assert verdict["kills"] + verdict["terminations"] >= 3
    assert verdict["occurrences"] > 15
    assert (verdict["duplicates"], verdict["open"]) == (0, 0)


def test_a_database_that_restarts_among_them_breaks_none_either():
    verdict = verdict_of(
        "chaos",
        "--seconds",
        "15",
        "--jobs",
        "60",
        "--kill-every",
        "3-5",
        "--lease",
        "3",
        "--restarts",
        "2",
        *own_server(),
    )

    assert verdict["broken"] == []
    assert verdict["restarts"] == 2
    assert verdict["kills"] + verdict["terminations"] >= 2
