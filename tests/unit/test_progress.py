"""How far a job says that it has come: what is kept, and what is shown."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from cronjobs.progress import ProgressMeter, eta, percent, read_progress

START = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
NOW = START + timedelta(minutes=1)


def strict(document):
    return json.loads(json.dumps(document, allow_nan=False))


def taken(*arguments):
    meter = ProgressMeter()
    meter.set(*arguments)
    document = strict(meter.take())
    assert datetime.fromisoformat(document.pop("at")).tzinfo is not None
    return document


def test_the_newest_is_taken_once():
    meter = ProgressMeter()
    assert meter.take() is None
    assert meter.newest() is None

    meter.set(1, 3)
    meter.set(2, 3, "two")

    assert meter.take()["done"] == 2
    assert meter.take() is None
    assert meter.newest()["message"] == "two"
    meter.give_back()
    assert meter.take()["done"] == 2
    meter.set(2, 3, "two")
    assert meter.take()["done"] == 2


def test_another_process_may_hand_it_on():
    child, parent = ProgressMeter(), ProgressMeter()
    child.set(2, math.inf, "of many")
    document = strict(child.take())

    parent.receive(document)

    assert parent.take() == document
    child.set(math.nan)
    parent.receive(strict(child.take()))
    assert parent.take()["done"] is None


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ((3,), (3, None)),
        ((3, 4), (3, 4)),
        ((0.5, 1.0), (0.5, 1.0)),
        ((-1, 0), (-1, 0)),
        ((9, 3), (9, 3)),
        ((Decimal("1.5"), Fraction(7, 2)), (1.5, 3.5)),
        ((math.nan, math.inf), (None, None)),
        ((10**400, -(10**400)), (None, None)),
        ((2**70, 2**71), (2.0**70, 2.0**71)),
        ((Decimal("sNaN"), Fraction(10**400)), (None, None)),
    ],
)
def test_what_arithmetic_may_come_to_is_kept_as_far_as_json_can_say_it(given, kept):
    document = taken(*given)

    assert (document["done"], document["total"]) == kept


@pytest.mark.parametrize("value", ["3", b"4", True, [], object(), 1j])
def test_what_is_no_number_is_refused(value):
    meter = ProgressMeter()

    with pytest.raises(TypeError, match="done must be a number, not"):
        meter.set(value)
    with pytest.raises(TypeError, match="total must be a number, not"):
        meter.set(1, value)

    assert meter.take() is None


def test_messages_are_made_storable():
    assert taken(1, 2, "a\x00\ud83d")["message"] == "a\ufffd\ufffd"
    assert taken(1, 2, "token=abc")["message"] == "token=***"
    assert taken(1, 2, 5)["message"] == "5"
    assert len(taken(1, 2, "🎉" * 1_000_000)["message"].encode()) <= 500


@pytest.mark.parametrize(
    ("done", "total", "shown"),
    [
        (0, 3, 0),
        (2, 3, 66),
        (2.999, 3, 99),
        (3, 3, 100),
        (4, 3, 100),
        (-1, 3, 0),
        (0, 0, 100),
        (1, -3, None),
        (1, None, None),
        (None, 3, None),
        (1e300, 1e-300, 100),
        (2**60, 2**61, 50),
    ],
)
def test_percent(done, total, shown):
    assert percent(done, total) == shown


@pytest.mark.parametrize(
    ("done", "total", "seconds"),
    [
        (1, 4, 180),
        (3, 4, 20),
        (4, 4, 0),
        (0, 4, None),
        (-1, 4, None),
        (5, 4, None),
        (1, None, None),
        (None, 4, None),
        (0, 0, None),
        (1, 1e300, None),
        (1e-300, 1e300, None),
    ],
)
def test_the_rest_is_estimated_from_what_went_before(done, total, seconds):
    left = eta(START, NOW, done, total)

    assert left == (None if seconds is None else timedelta(seconds=seconds))


def test_nothing_is_estimated_before_the_start():
    assert eta(NOW, START, 1, 2) is None
    assert eta(START, START, 1, 2) is None


@pytest.mark.parametrize("stored", [None, [], "50 %", 5])
def test_what_is_no_progress_is_not_shown(stored):
    assert read_progress(stored, started_at=START, now=NOW) is None


def test_whatever_a_row_holds_can_be_shown():
    odd = {"done": "many", "total": True, "message": 5, "at": None}

    assert strict(read_progress(odd, started_at=START, now=NOW).document()) == {
        "done": None,
        "total": None,
        "percent": None,
        "message": "",
        "etaSeconds": None,
    }


def test_what_programs_read():
    stored = {"done": 1, "total": 4, "message": "rows", "at": "2026-01-15T12:00:59.000Z"}

    running = read_progress(stored, started_at=START, now=NOW)
    ended = read_progress(stored, started_at=START, now=None)

    document = {"done": 1, "total": 4, "percent": 25, "message": "rows", "etaSeconds": 180}
    assert running.document() == document
    assert ended.document() == {**document, "etaSeconds": None}
