"""The judge of the chaos program: a history in order passes, and each kind of fault is found and named."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bench.judge import Evidence, Row, judge, longest_gap
from bench.witness import Call, read_calls

START = datetime(2026, 1, 15, 12, 0, 0, tzinfo=UTC)
KILLED, ALIVE = 100, 200


def at(second):
    return START + timedelta(seconds=second)


def row(pk, second, **changes):
    return Row(pk=pk, job="job", due=at(second), **{"status": "succeeded", "attempt": 1, **changes})


def call(pk, second, attempt=1):
    return Call(execution=pk, attempt=attempt, job="job", due=at(second), pid=ALIVE, at=at(second))


def history(rows, calls, seconds=(1, 2)):
    expected = {"job": [at(second) for second in seconds]}
    return Evidence(expected=expected, rows=rows, calls=calls, killed=frozenset({KILLED}))


IN_ORDER = history([row(1, 1), row(2, 2)], [call(1, 1), call(2, 2)])
LOST = row(2, 2, status="lost", attempts={1: ("lost", KILLED)})
AGAIN = row(2, 2, attempt=2, rerun_lost=True, attempts={1: ("lost", KILLED)})
RETRIED = row(2, 2, attempt=2, attempts={1: ("failed", ALIVE)})
MISSED = row(2, 3, status="missed", attempt=0, missed=(at(2), at(3), 2))


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([row(1, 1), row(2, 2)], id="succeeded"),
        pytest.param([row(1, 1), LOST], id="lost"),
        pytest.param([row(1, 1), AGAIN], id="lost and run again"),
        pytest.param([row(1, 1), RETRIED], id="failed and tried again"),
    ],
)
def test_what_is_in_order_is_found_so(rows):
    calls = [call(each.pk, 1, attempt) for each in rows for attempt in range(1, each.attempt + 1)]

    assert judge(history(rows, calls)).broken == []


def test_due_times_that_are_recorded_as_missed_are_accounted_for():
    verdict = judge(history([row(1, 1), MISSED, row(3, 4)], [call(1, 1), call(3, 4)], seconds=(1, 2, 3, 4)))

    assert (verdict.broken, verdict.occurrences, verdict.missed) == ([], 4, 2)


@pytest.mark.parametrize(
    ("evidence", "sentence"),
    [
        pytest.param(replace(IN_ORDER, rows=[row(1, 1)], calls=[call(1, 1)]), "nothing for 12:00:02", id="no row"),
        pytest.param(replace(IN_ORDER, rows=[*IN_ORDER.rows, LOST]), "2 rows for 12:00:02", id="two rows"),
        pytest.param(replace(IN_ORDER, calls=[*IN_ORDER.calls, call(2, 2)]), "called 2 times", id="called twice"),
        pytest.param(replace(IN_ORDER, calls=[*IN_ORDER.calls, call(3, 2)]), "has no row", id="a call without a row"),
        pytest.param(replace(IN_ORDER, calls=IN_ORDER.calls[:1]), "nobody saw it run", id="a row without a call"),
        pytest.param(
            history([row(1, 1), replace(AGAIN, rerun_lost=False)], [call(1, 1), call(2, 2), call(2, 2, 2)]),
            "called after lost",
            id="run again against its will",
        ),
        pytest.param(
            history([row(1, 1), replace(AGAIN, attempts={})], [call(1, 1), call(2, 2), call(2, 2, 2)]),
            "called after nothing recorded",
            id="run again without a reason",
        ),
        pytest.param(
            history([row(1, 1), row(2, 2)], [call(1, 1), call(2, 2, 2)]), "the row knows 1", id="an unknown attempt"
        ),
        pytest.param(
            history([row(1, 1), row(2, 2, status="skipped")], IN_ORDER.calls), "ran all the same", id="skipped and run"
        ),
        pytest.param(
            history([row(1, 1), row(2, 2, status="running", has_lease=True)], IN_ORDER.calls), "still open", id="open"
        ),
        pytest.param(history([row(1, 1), row(2, 2, has_lease=True)], IN_ORDER.calls), "lease", id="a lease"),
        pytest.param(
            history([row(1, 1), replace(LOST, attempts={1: ("lost", ALIVE)})], IN_ORDER.calls),
            "had not been killed",
            id="lost by a living node",
        ),
        pytest.param(
            history([row(1, 1), MISSED, row(3, 3), row(4, 4)], [call(1, 1), call(3, 3), call(4, 4)], (1, 2, 3, 4)),
            "2 missed from 12:00:02 to 12:00:03, but 1 have no row",
            id="missed and miscounted",
        ),
    ],
)
def test_each_broken_promise_is_named(evidence, sentence):
    broken = judge(evidence).broken

    assert any(sentence in each for each in broken), broken


def test_a_gap_counts_from_the_start_and_to_the_end():
    calls = [call(1, 2), call(2, 3)]

    assert longest_gap(calls, "job", at(0), at(10)) == timedelta(seconds=7)
    assert longest_gap([], "job", at(0), at(10)) == timedelta(seconds=10)


def test_a_witness_reads_what_was_written(tmp_path):
    path = tmp_path / "calls.txt"
    calls = [call(1, 1), call(2, 2, attempt=3)]
    for each in calls:
        each.append_to(str(path))

    assert read_calls(path) == calls
    assert read_calls(tmp_path / "nothing") == []
