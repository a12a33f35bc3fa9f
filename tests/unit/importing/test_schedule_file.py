"""Files of schedules in JavaScript and JSON, which nobody runs."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronjobs.importing import Unreadable, read_schedule_file
from cronjobs.importing.tokens import tokens_of

SAMPLE = r"""
// Schedules of the jobs, /* not a comment of its own.
const DEFAULT_ZONE = 'UTC'; /* module.exports = { NOT: 'this' } */
const describe = function ({ name }) { if (name) { return { name: 'no' + name } } };

const CRON_SCHEDULES = Object.freeze({
  CLEANUP_LEGACY_CONVERSATIONS: '*/5 * * * *', // every 5 minutes
  "cleanup-old-quotes": "0 2 * * *",
  healthCheck: {
    cron: `*/10 * * * *`,
    timezone: 'Europe/Berlin',
    enabled: false,
    retries: 3,
  },
  FROM_OUTSIDE: process.env.CRON || '* * * * *',
  [computed()]: '* * * * *',
  ...others,
  later() { return { a: 1 } },
  OFF: null,
  LIMIT: 3,
  BOTH: '0 0 1 * 1',
  REPORTS: { timeZone: 'Asia/Tokyo', weekly: '0 9 * * mon', 'mon\'thly': '0 0 9 1 * *' },
});

module.exports = { CRON_SCHEDULES, DEFAULT_ZONE, elsewhere };
"""


def read(text, **options):
    return {each.name: each for each in read_schedule_file(text.encode(), **options).entries}


def test_plain_literals_become_entries():
    found = read(SAMPLE)

    assert {name: dict(each.columns) for name, each in found.items() if not each.problem} == {
        "CLEANUP_LEGACY_CONVERSATIONS": {"schedule": "*/5 * * * *"},
        "cleanup-old-quotes": {"schedule": "0 2 * * *"},
        "healthCheck": {"schedule": "*/10 * * * *", "time_zone": "Europe/Berlin", "enabled": False},
        "weekly": {"schedule": "0 9 * * mon", "time_zone": "Asia/Tokyo"},
        "mon'thly": {"schedule": "0 0 9 1 * *", "time_zone": "Asia/Tokyo"},
    }
    assert found["healthCheck"].notes == ("Left out: retries.",)
    assert (found["healthCheck"].place, found["weekly"].place) == ("line 9", "line 22")


def test_what_is_more_than_a_literal_is_named_with_its_line():
    refused = {each.place: (each.name, each.problem) for each in read(SAMPLE).values() if each.problem}

    assert {place: name for place, (name, _) in refused.items()} == {
        "line 15": "FROM_OUTSIDE",
        "line 16": "[computed()",
        "line 17": "...others",
        "line 18": "later(){",
        "line 19": "OFF",
        "line 20": "LIMIT",
        "line 21": "BOTH",
        "line 25": "elsewhere",
    }
    assert refused["line 15"][1].startswith("It is no plain literal")
    assert refused["line 19"][1] == "It is turned off there."
    assert refused["line 20"][1] == "3 is no schedule."
    assert refused["line 21"][1].startswith("node-cron runs it on days that match both")


@pytest.mark.parametrize(
    "text",
    [
        "module.exports = { A: '0 1 * * *' }",
        "export default { A: '0 1 * * *' } as const;",
        "export const SCHEDULES = {A:'0 1 * * *',};",
        '{"A": "0 1 * * *"}',
        '\ufeff{\r\n"A": {"schedule": "0 1 * * *"}}',
        "#!/usr/bin/env node\nexports.jobs = { 'A': '0 \\x31 \\u002a \\u{2a} *' }",
        "module.exports = { jobs: { nested: { A: '0 1 * * *' } } }",
    ],
)
def test_a_file_may_have_any_of_the_usual_shapes(text):
    assert read(text)["A"].columns == {"schedule": "0 1 * * *"}


def test_the_later_of_two_that_are_called_alike_counts():
    first, second = read_schedule_file(b"module.exports = {\n  A: '0 1 * * *',\n  A: '0 2 * * *',\n}").entries

    assert first.problem == "Line 3 has the same name again, and counts."
    assert second.columns == {"schedule": "0 2 * * *"}


def test_the_zone_that_is_given_is_that_of_what_names_none():
    text = "x = { a: '0 1 * * *', b: { cron: '0 1 * * *', tz: 'Asia/Tokyo' } }"

    assert [each.columns["time_zone"] for each in read(text, time_zone="UTC").values()] == ["UTC", "Asia/Tokyo"]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("'every day'", "fields"),
        ("{ cron: '0 1 * * *', tz: 'Mars/Olympus' }", "Mars/Olympus"),
        ("{ cron: '0 1 * * *', enabled: process.env.ON !== 'no' }", "Its enabled, on line 1, is no plain literal."),
        ("{ cron: '0 1 * * *', enabled: 1 }", "is neither true nor false"),
        ("{ cron: '0 1 * * *', tz: 5 }", "Its tz, on line 1, is no text."),
        ("{ cron: '0 1 * * *', description: 5 }", "Its description, on line 1, is no text."),
        ("{ cron: false }", "turned off"),
        ("{ cron: true }", "true is no schedule"),
        ("'0 1 * * *' + more", "no plain literal"),
        ("'0 1 * * *'.trim()", "no plain literal"),
        ("`0 ${hour} * * *`", "no plain literal"),
        ("['0 1 * * *']", "no plain literal"),
        ("() => ({ a: 1 })", "no plain literal"),
    ],
)
def test_values_that_are_no_schedule_are_refused(value, said):
    assert said in read(f"module.exports = {{ a: {value}, b: '0 1 * * *' }}")["a"].problem
    assert read(f"module.exports = {{ a: {value}, b: '0 1 * * *' }}")["b"].problem == ""


def test_a_zone_that_is_no_literal_makes_its_group_impossible():
    found = read(
        "x = { jobs: {\n tz: process.env.TZ,\n a: '0 1 * * *', b: { cron: '0 1 * * *', tz: 'UTC' } }, c: '0 1 * * *' }",
        time_zone="Asia/Tokyo",
    )

    assert found["a"].problem == "The tz of its group, on line 2, is no plain text."
    assert [found[each].columns["time_zone"] for each in "bc"] == ["UTC", "Asia/Tokyo"]


def test_disabled_is_the_opposite_of_enabled():
    assert read("x = { a: { cron: '0 1 * * *', disabled: true, description: 'Sums.' } }")["a"].columns == {
        "schedule": "0 1 * * *",
        "enabled": False,
        "description": "Sums.",
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "There is no object"),
        ("console.log('hello')", "There is no object"),
        ("x = { a: '0 1 * * *'", "on line 1 is never closed"),
        ("x = {\n a: (1] }", "The ] on line 2 closes nothing"),
        ("x = " + "{a:" * 50 + "1" + "}" * 50, "nested more than 30 deep"),
    ],
)
def test_a_file_of_which_nothing_can_be_made_is_refused(text, said):
    with pytest.raises(Unreadable, match=said):
        read(text)


@given(
    st.dictionaries(
        st.text(max_size=8),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=8),
            lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=8), each, max_size=3),
            max_leaves=8,
        ),
    )
)
def test_any_json_is_read(data):
    for each in read_schedule_file(json.dumps(data).encode()).entries:
        assert each.problem or "schedule" in each.columns


@given(st.text(alphabet="{}[]():,;='\"`\\/*.$ab1 \n", max_size=60))
def test_no_text_is_too_odd(text):
    try:
        read_schedule_file(text.encode())
    except Unreadable as error:
        assert str(error)  # noqa: PT017 - to be refused is as good


@given(st.text(max_size=80))
def test_texts_are_read_as_they_were_written(text):
    [token] = tokens_of(json.dumps(text))

    assert token.text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") == text
