"""What docs/api.md promises is what the API has: addresses, codes, and an example of everything."""

from __future__ import annotations

import re

import pytest

from tests.documentation import API
from tests.examples import differences, read_examples, read_json
from tests.routes import all_routes, route_of

TEXT = API.read_text(encoding="utf-8")
ADDRESSES = re.findall(r"^\| `([A-Z]+) (/cron/\S+)` \|", TEXT, re.MULTILINE)


def named(path):
    return path.replace("<name>", "x").replace("<number>", "1")


def test_every_address_is_documented():
    assert sorted(route_of(method, named(path)) for method, path in ADDRESSES) == sorted(all_routes())


def test_every_address_has_an_example():
    asked = {route_of(*each) for example in read_examples(TEXT) for each in example.requests()}

    # A page is for browsers.
    assert asked == all_routes() - {("GET", "docs")}


def test_every_block_of_commands_is_an_example():
    assert len(read_examples(TEXT)) == TEXT.count("```console\n")
    assert sum(each.answer.body is not None for each in read_examples(TEXT)) == len(
        re.findall("```(?:json|http)", TEXT)
    )


@pytest.mark.parametrize(
    ("shown", "found"),
    [
        ('{"a": 1}', '{"a": 2}'),
        ('{"a": 1, …}', '{"a": 1, "b": 2}'),
        ('{\n  "a": {…},\n  …\n}', '{"a": {"x": 1}}'),
        ('{"at": "2026-01-15T12:00:00.000Z"}', '{"at": "2027-11-05T02:10:00.123Z"}'),
        ('{"a": [{"name": "x", …}, …]}', '{"a": [{"name": "w"}, {"name": "x", "y": null}]}'),
        ('{"a": "Trace…"}', '{"a": "Traceback\\nand so on"}'),
        ("12:00 Sent\n", "11:59 Collecting\n12:01 Sent\n"),
    ],
)
def test_what_the_document_may_leave_open(shown, found):
    assert differences(shown, found) == []


@pytest.mark.parametrize(
    ("shown", "found"),
    [
        ('{"a": 1, …}', '{"b": 2}'),
        ('{"a": 1}', '{"a": 1, "b": 2}'),
        ('{"a": 1}', '{"a": "1"}'),
        ('{"a": 1}', '{"a": true}'),
        ('{"a": true}', '{"a": false}'),
        ('{"a": null}', '{"a": 1}'),
        ('{"a": "failed"}', '{"a": "succeeded"}'),
        ('{"a": "Trace…"}', '{"a": "A Trace"}'),
        ('{"at": "2026-01-15T12:00:00.000Z"}', '{"at": "2026-01-15T12:00:00Z"}'),
        ('{"a": []}', '{"a": [1]}'),
        ('{"a": [{"name": "x", …}, …]}', '{"a": [{"name": "w"}]}'),
        ("12:00 Sent\n", "12:00 Collecting\n"),
    ],
)
def test_what_the_document_may_not_get_wrong(shown, found):
    assert len(differences(shown, found)) == 1


def test_an_ellipsis_inside_text_is_text():
    assert read_json('{"a": "…, {", …}') == {"a": "…, {", "…": None}
