from __future__ import annotations

import gzip
import io
import json
import sys
from datetime import UTC, datetime, timedelta
from io import StringIO
from types import SimpleNamespace

import pytest
from bson import Decimal128, Int64, ObjectId, encode
from bson.raw_bson import DEFAULT_RAW_BSON_OPTIONS
from django.core.management import CommandError, call_command
from django.utils import timezone

from cronjobs.management import loading
from tests.integration.mongodb.evidence import DATA, SAMPLE, UNREACHABLE, exported, raw, sent_commands

pytestmark = pytest.mark.mongo

STATES, QUOTES = str(DATA / "conversation_states.jsonl.gz"), str(DATA / "quotes.jsonl.gz")


def load(*arguments: str) -> str:
    """Run the command; return what it prints."""
    out = StringIO()
    call_command("load_conversations", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def load_with_problems(*arguments: str) -> tuple[str, list[str], str]:
    """Run the command, which fails; return its output, the problems it reports and its error."""
    out, err = StringIO(), StringIO()
    with pytest.raises(CommandError) as caught:
        call_command("load_conversations", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue().splitlines(), str(caught.value)


@pytest.fixture
def write(tmp_path):
    """Write lines into a file; return its path."""

    def write(*lines: str | bytes, name: str = "conversation_states.jsonl") -> str:
        path = tmp_path / name
        path.write_bytes(b"".join(each if isinstance(each, bytes) else each.encode() + b"\n" for each in lines))
        return str(path)

    return write


def test_the_exported_files_are_loaded_byte_for_byte(mongodb):
    output = load(STATES, QUOTES)

    assert output == "3405 read, 3405 loaded, 0 already there, 0 broken.\n"
    for name in ("conversation_states", "quotes"):
        assert raw(mongodb[name]) == {each["_id"]: encode(each) for each in exported(name)}


def test_loading_again_loads_nothing_and_overwrites_nothing(mongodb):
    load(QUOTES)
    mongodb["quotes"].update_many({}, {"$set": {"status": "changed here"}})
    before = raw(mongodb["quotes"])

    output = load(QUOTES, QUOTES, "--json")

    assert json.loads(output) == {"read": 800, "loaded": 0, "alreadyThere": 800, "broken": 0}
    assert raw(mongodb["quotes"]) == before


def test_broken_lines_are_reported_with_their_number_and_the_rest_is_loaded(mongodb, write):
    path = write(
        '{"_id": 1, "phone": "a"}',
        "",
        "{not json}",
        '{"_id": 2, "phone": "b"}',
        "[1, 2]",
        '{"phone": "no id"}',
        b'{"_id": 3, "phone": "\xff"}\n',
        '{"_id": {"$oid": "xyz"}}',
        '{"_id": 4, "createdAt": {"$date": "never"}}',
        '{"_id": 5, "n": 99999999999999999999}',
        '{"_id": 6, "nul\\u0000": 1}',
        '{"_id": 7, "d": {"$numberDecimal": "x"}}',
        '{"_id": 8, "a": ' + "[" * 5000 + "]" * 5000 + "}",
        '{"_id": 9, "cut": "of',
        '{"_id": 10, "phone": "z"}',
    )

    output, problems, error = load_with_problems(path)

    assert output == "14 read, 3 loaded, 0 already there, 11 broken.\n"
    assert error == "11 of 14 lines were not loaded."
    numbers = [int(each.removeprefix(f"{path}, line ").partition(":")[0]) for each in problems]
    assert numbers == [3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]
    assert problems[0] == (
        f"{path}, line 3: it is not JSON: Expecting property name enclosed in double quotes at character 2"
    )
    assert problems[1].endswith("it is not a document")
    assert problems[2].endswith("it has no _id, so it would be loaded again each time")
    assert sorted(raw(mongodb["conversation_states"])) == [1, 2, 10]


def test_relaxed_and_canonical_extended_json_keep_their_types(mongodb, write):
    path = write(
        '\ufeff{"_id": 1, "a": 5, "b": 5000000000, "c": 1.5, "d": {"$date": "2026-01-15T10:30:00.123Z"}}\r',
        '{"_id": {"$numberLong": "2"}, "a": {"$numberLong": "5"}, "b": {"$numberDecimal": "1.50"}, "c": null}',
        '{"_id": {"$oid": "6b06e0cd5843ae04ba1f8ada"}, "a": {"$binary": {"base64": "AAE=", "subType": "00"}}}',
    )

    load(path)

    first, second, third = mongodb["conversation_states"].with_options(codec_options=DEFAULT_RAW_BSON_OPTIONS).find()
    moment = datetime(2026, 1, 15, 10, 30, 0, 123000, tzinfo=UTC)
    assert first.raw == encode({"_id": 1, "a": 5, "b": Int64(5_000_000_000), "c": 1.5, "d": moment})
    assert second.raw == encode({"_id": Int64(2), "a": Int64(5), "b": Decimal128("1.50"), "c": None})
    assert third.raw == encode({"_id": ObjectId("6b06e0cd5843ae04ba1f8ada"), "a": b"\x00\x01"})


def test_shifting_moves_every_date_by_one_span_and_no_text(mongodb, write):
    states = write(
        '{"_id": 1, "createdAt": {"$date": "2020-01-01T00:00:00Z"}, "in": [{"at": {"$date": "2020-01-03T00:00:00Z"}}]}',
        '{"_id": 2, "createdAt": "2030-01-01T00:00:00Z", "lastMessageAt": {"$date": "9999-12-31T00:00:00Z"}}',
        "broken",
    )
    quotes = write('{"_id": 3, "createdAt": {"$date": "2020-01-02T00:00:00Z"}, "quoteId": "Q"}', name="quotes.jsonl")
    before = timezone.now()

    load_with_problems(states, quotes, "--shift-to-now")

    newest = mongodb["quotes"].find_one()["createdAt"]
    first, second = mongodb["conversation_states"].find()
    assert before - timedelta(milliseconds=1) <= newest <= timezone.now()
    assert first["createdAt"] == newest - timedelta(days=1)
    assert first["in"][0]["at"] == newest + timedelta(days=1)
    assert second["createdAt"] == "2030-01-01T00:00:00Z"
    assert second["lastMessageAt"] == datetime(9999, 12, 31, tzinfo=UTC)


def test_files_without_dates_are_loaded_as_they_are(mongodb, write):
    assert load(write('{"_id": 1}'), "--shift-to-now") == "1 read, 1 loaded, 0 already there, 0 broken.\n"


def test_some_of_the_sample_is_due_after_it_is_shifted_to_now(mongodb):
    from cronjobs.jobs.cleanup import cleanup_legacy_conversations, get_legacy_conversation_stats
    from cronjobs.jobs.quotes import cleanup_old_quotes

    load(str(SAMPLE / "conversation_states.jsonl"), str(SAMPLE / "quotes.jsonl"), "--shift-to-now")
    stats = get_legacy_conversation_stats()

    assert stats["total"] + mongodb["quotes"].count_documents({}) <= 200
    assert stats["total"] - stats["active"] - stats["inactive"] == 2, "the odd documents are in the sample"
    assert 20 <= stats["oldActive"] < stats["active"] - 10, "some are due now, others a little later"
    assert cleanup_legacy_conversations()["modifiedCount"] == stats["oldActive"]
    quotes = cleanup_old_quotes()
    assert quotes["expiredCount"] > 0
    assert 0 < quotes["deletedCount"] < 40


@pytest.mark.parametrize(
    ("name", "line", "collection"),
    [
        pytest.param("x.jsonl", '{"_id": 1, "quoteId": "Q"}', "quotes", id="a quote's keys"),
        pytest.param("x.jsonl", '{"_id": 1, "currentStep": "start"}', "conversation_states", id="a state's keys"),
        pytest.param("Quotes-2026.json", '{"_id": 1}', "quotes", id="name"),
        pytest.param("quotes.jsonl", '{"_id": 1, "isActive": true}', "conversation_states", id="keys before name"),
    ],
)
def test_the_documents_or_the_name_say_which_collection(mongodb, write, name, line, collection):
    load(write(line, name=name))

    assert mongodb.list_collection_names() == [collection]


def test_a_file_that_could_be_anything_needs_the_collection_named(mongodb, write):
    path = write('{"_id": 1}', name="export.jsonl")

    with pytest.raises(CommandError, match="may belong to any collection: say --collection"):
        load(path)
    load(path, "--collection", "quotes")

    assert mongodb["quotes"].count_documents({}) == 1


def test_standard_input_is_read(mongodb, monkeypatch):
    lines = b'{"_id": 1, "quoteId": "Q", "createdAt": {"$date": "2020-01-01T00:00:00Z"}}\nbroken\n'
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(gzip.compress(lines))))

    output, problems, _ = load_with_problems("-", "--shift-to-now")

    assert output == "2 read, 1 loaded, 0 already there, 1 broken.\n"
    assert problems == ["standard input, line 2: it is not JSON: Expecting value at character 1"]
    assert mongodb["quotes"].find_one()["createdAt"] > timezone.now() - timedelta(minutes=1)


def test_a_damaged_file_is_loaded_up_to_the_damage(mongodb, write):
    content = gzip.compress(b"".join(b'{"_id": %d, "isActive": true}\n' % number for number in range(50_000)))
    path = write(content[: len(content) // 2], name="cut.jsonl.gz")

    output, problems, _ = load_with_problems(path)

    loaded = mongodb["conversation_states"].count_documents({})
    assert 10_000 < loaded < 50_000
    assert output == f"{loaded + 1} read, {loaded} loaded, 0 already there, 1 broken.\n"
    assert problems[0].startswith(f"{path}, line {loaded + 1}: the file cannot be read from here on: ")


def test_a_missing_file_stops_the_command_before_anything_is_loaded(mongodb):
    for missing in ("/nowhere/quotes.jsonl", str(DATA)):
        with pytest.raises(CommandError, match=f"^{missing} cannot be read: "):
            load(QUOTES, missing)

    assert mongodb.list_collection_names() == []


def test_documents_that_mongodb_refuses_are_reported_one_by_one(mongodb, write):
    mongodb["conversation_states"].create_index("phone", unique=True)
    # The embedded server refuses a whole batch for one date beyond its reach; MongoDB takes it.
    far = '{"_id": 4, "phone": "d", "at": {"$date": {"$numberLong": "8640000000000000"}}}'
    path = write(
        '{"_id": 1, "phone": "a"}',
        '{"_id": 2, "phone": "a"}',
        '{"_id": 1, "phone": "c"}',
        far,
        '{"_id": 5, "phone": "e"}',
    )

    output, problems, _ = load_with_problems(path, "--json")

    counts = json.loads(output)
    refused_far = any("line 4" in each for each in problems)
    assert counts == {"read": 5, "loaded": 3 - refused_far, "alreadyThere": 1, "broken": 1 + refused_far}
    assert problems[0].startswith(f"{path}, line 2: MongoDB refuses it: E11000 duplicate key error")


def test_lines_and_documents_that_are_too_long_are_broken(mongodb, write, monkeypatch):
    monkeypatch.setattr(loading, "MAX_LINE_BYTES", 17 * 1024 * 1024)
    path = write(
        '{"_id": 1, "x": "%s"}' % ("a" * 20 * 1024 * 1024),
        '{"_id": 2, "x": "%s"}' % ("a" * 16 * 1024 * 1024),
        '{"_id": 3, "x": "%s"}' % ("a" * 15 * 1024 * 1024),
        '{"_id": 4}',
    )

    output, problems, _ = load_with_problems(path)

    assert output == "4 read, 2 loaded, 0 already there, 2 broken.\n"
    assert "line 1: it is longer than" in problems[0]
    assert "line 2: it is too large: " in problems[1]


def test_documents_go_to_the_server_in_bounded_batches(mongodb, write, settings):
    path = write(*(json.dumps({"_id": number}) for number in range(1200)))

    with sent_commands() as commands:
        settings.CRONJOBS = dict(settings.CRONJOBS)
        load(path)

    assert [(each["name"], len(each["documents"])) for each in commands] == [
        ("insert", 500),
        ("insert", 500),
        ("insert", 200),
    ]


def test_an_unreachable_server_is_named_and_the_counts_are_told(settings, write):
    settings.CRONJOBS = {"MONGODB_URI": UNREACHABLE, "MONGODB_TIMEOUT": 0.1}

    output, problems, error = load_with_problems(write('{"_id": 1}', '{"_id": 2}'))

    assert output == "2 read, 0 loaded, 0 already there, 0 broken.\n"
    assert problems == []
    assert error.startswith("MongoDB at 127.0.0.1:9 is not available")
    assert "s3cret" not in error


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_shown_on_a_terminal(mongodb, write):
    path = write(*(json.dumps({"_id": number}) for number in range(1200)), "broken")
    terminal = Terminal()

    with pytest.raises(CommandError, match="1 of 1201 lines"):
        call_command("load_conversations", path, stdout=StringIO(), stderr=terminal)

    shown = terminal.getvalue()
    assert "\r[" in shown
    assert " % 500 lines" in shown
    assert f"\r\x1b[K{path}, line 1201: it is not JSON" in shown
    # No bar is left behind what was said.
    assert "[" not in shown.rpartition("\x1b[K")[2]


def test_what_was_loaded_before_an_interruption_stays_and_is_told(mongodb, write):
    class Interrupting(Terminal):
        def write(self, text: str) -> int:
            raise KeyboardInterrupt

    path = write(*(json.dumps({"_id": number}) for number in range(1200)))
    out = StringIO()

    with pytest.raises(CommandError, match="Interrupted") as caught:
        call_command("load_conversations", path, stdout=out, stderr=Interrupting())

    assert caught.value.returncode == 130
    assert out.getvalue() == "500 read, 500 loaded, 0 already there, 0 broken.\n"
    assert mongodb["conversation_states"].count_documents({}) == 500


def test_the_first_hundred_documents_decide_and_broken_ones_do_not(mongodb, write):
    path = write("broken", '{"_id": 1}', '{"_id": 2, "validUntil": null}', name="export")

    load_with_problems(path)

    assert mongodb["quotes"].count_documents({}) == 2
