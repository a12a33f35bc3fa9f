"""Whatever a job says or returns can be stored."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from bson import ObjectId

from cronjobs import storable
from cronjobs.storable import bounded_json, storable_json, storable_text


class Colour(Enum):
    RED = "red"


@dataclass
class Point:
    x: int
    y: float


class Unspeakable:
    def __str__(self):
        raise RuntimeError("no")


class Unreadable(dict[Any, Any]):
    def items(self):
        raise ValueError("no")


class UnreadableSet(set[int]):
    def __iter__(self):
        raise SystemExit(2)


@dataclass
class Halfway:
    x: int = 1

    def __getattribute__(self, name):
        if name == "x":
            raise ConnectionError
        return super().__getattribute__(name)


class Nothing:
    @property  # type: ignore[misc]  # it is what is to be survived
    def __class__(self):
        raise KeyError("class")


class NotPairs(dict[Any, Any]):
    def items(self):
        return [1, 2]


class NeverEmpty(dict[Any, Any]):
    def __len__(self):
        raise TypeError("no length")


class OddText(str):
    __slots__ = ()

    def __str__(self):
        return self

    def __iter__(self):
        raise ValueError("no")


class OddDate(date):
    def isoformat(self):
        return b"now"


class Settings(Enum):
    DEFAULT = {"password": "x"}


CYCLE: list[object] = [1]
CYCLE.append(CYCLE)


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        pytest.param({"a": [1, 2.5, None, True, "x"]}, {"a": [1, 2.5, None, True, "x"]}, id="plain"),
        pytest.param([float("nan"), float("inf"), float("-inf")], ["NaN", "Infinity", "-Infinity"], id="not-finite"),
        pytest.param(datetime(2026, 1, 15, 10, 30, tzinfo=UTC), "2026-01-15T10:30:00+00:00", id="datetime"),
        pytest.param(timedelta(minutes=1.5), 90.0, id="timedelta"),
        pytest.param(Decimal("1.10"), "1.10", id="decimal"),
        pytest.param(UUID(int=1), "00000000-0000-0000-0000-000000000001", id="uuid"),
        pytest.param(ObjectId("6b06e0cd5843ae04ba1f8ada"), "6b06e0cd5843ae04ba1f8ada", id="object-id"),
        pytest.param(b"\x00\xff", "(2 bytes)", id="bytes"),
        pytest.param({3, 1, 2}, [1, 2, 3], id="set"),
        pytest.param((1, 2), [1, 2], id="tuple"),
        pytest.param(Colour.RED, "red", id="enum"),
        pytest.param(Point(1, float("nan")), {"x": 1, "y": "NaN"}, id="dataclass"),
        pytest.param({1: "a", None: "b"}, {"1": "a", "None": "b"}, id="odd-keys"),
        pytest.param(CYCLE, [1, "…"], id="cycle"),
        pytest.param(2**70, str(2**70), id="big-integer"),
        pytest.param("a\x00b \ud83d ü", "a\ufffdb \ufffd ü", id="unstorable-text"),
        pytest.param(Unreadable(a=1), "<Unreadable, which cannot be read: ValueError>", id="items"),
        pytest.param([1, UnreadableSet()], [1, "<UnreadableSet, which cannot be read: SystemExit>"], id="iteration"),
        pytest.param(Halfway(), "<Halfway, which cannot be read: ConnectionError>", id="attribute"),
        pytest.param(Nothing(), "<Nothing, which cannot be read: KeyError>", id="class"),
        pytest.param(NotPairs(), "<NotPairs, which cannot be read: TypeError>", id="not-pairs"),
        pytest.param(NeverEmpty(a=1), {"a": 1}, id="length"),
        pytest.param(OddText("a"), "a", id="odd-text"),
        pytest.param(OddDate(2026, 1, 15), "b'now'", id="odd-date"),
        pytest.param(Unspeakable(), "<Unspeakable, whose text cannot be made: RuntimeError>", id="no-str"),
    ],
)
def test_any_value_becomes_strict_json(value, stored):
    converted = storable_json(value)

    assert converted == stored
    json.dumps(converted, allow_nan=False).encode()


class Endless(dict[Any, Any]):
    def items(self):
        return ((number, [number]) for number in count())


def test_what_has_no_end_is_cut_and_not_an_error(monkeypatch):
    monkeypatch.setattr(storable, "_MOST_PARTS", 10)

    assert storable_json([Endless()]) == [{**{str(number): ["…"] for number in range(9)}, "…": "…"}]
    assert storable_json(list(range(11))) == [*range(10), "…"]
    assert storable_json(list(range(10))) == list(range(10))


def test_containers_that_hold_each_other_many_times_are_cut(monkeypatch):
    monkeypatch.setattr(storable, "_MOST_PARTS", 1_000)
    value: object = "bottom"
    for _ in range(30):
        value = [value, value]

    assert len(json.dumps(storable_json(value), ensure_ascii=False)) < 20_000


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
def test_what_is_not_the_values_fault_is_not_swallowed(error):
    class Raises(dict[Any, Any]):
        def items(self):
            raise error

    with pytest.raises(error):
        storable_json([Raises()])


def test_deep_nesting_is_cut_and_not_an_error():
    value: object = "bottom"
    for _ in range(10_000):
        value = [value]

    assert "…" in json.dumps(storable_json(value), ensure_ascii=False)


def test_values_under_secret_keys_are_masked_at_any_depth():
    value = {"user": "ann", "Password": "x", "nested": [{"api_key": "x", "apiKeyId": 1, "n": 1}]}

    masked = storable_json(value, mask=["password", "api_key", "apikey"])

    assert storable_json(Settings.DEFAULT, mask=["password"]) == {"password": "***"}
    assert masked == {"user": "ann", "Password": "***", "nested": [{"api_key": "***", "apiKeyId": "***", "n": 1}]}


def test_long_text_is_cut_at_a_whole_character():
    cut = storable_text("ü" * 1_000, max_bytes=101)

    assert len(cut.encode()) <= 101
    assert cut.endswith("ü… [cut]")
    assert storable_text("short", max_bytes=101) == "short"


def test_a_secret_in_the_text_of_a_key_is_masked():
    assert storable_json({"GET /?token=abc": 2, "n": 1}, mask=["token"]) == {"GET /?token=***": "***", "n": 1}


def test_of_a_huge_text_only_the_beginning_is_read_and_no_secret_shows_at_the_cut():
    # The value begins before the cut, and ends far beyond what is read.
    text = "x" * 90 + " password=" + "s" * 1_000_000

    assert storable_text(text, max_bytes=120, mask=("password",)) == "… [cut]"
    address = "y" * 80 + " https://user:" + "s" * 200 + "@host/ " + "z" * 1_000_000
    cut = storable_text(address, max_bytes=1_000, mask=("password",))
    assert cut.startswith("y" * 80 + " https://***@host/ z")
    assert cut.endswith("z… [cut]")
    assert len(cut.encode()) <= 1_000


def test_a_text_whose_secrets_were_long_is_still_said_to_be_cut():
    text = "\n".join(["password=" + "s" * 1_000] * 100 + ["end"] * 10_000)

    cut = storable_text(text, max_bytes=50_000, mask=("password",))

    assert cut.startswith("password=***\npassword=***\n")
    assert cut.endswith("… [cut]")
    assert "sss" not in cut


def test_huge_parts_of_a_result_are_cut_before_they_are_masked():
    stored, size = bounded_json({"text": "a" * 10_000_000, "token": "t"}, max_bytes=1_000, mask=("token",))

    assert stored["truncated"] is True
    assert len(stored["text"].encode()) <= size == 1_000
