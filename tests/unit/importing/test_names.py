"""Names and rules: what is called how elsewhere, and what it is called here."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronjobs.importing.entries import Entry
from cronjobs.importing.names import allowed_name, free_name
from cronjobs.importing.rules import Rule, parse_rule, rules_in
from cronjobs.registry import is_valid_name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CLEANUP_LEGACY_CONVERSATIONS", "cleanup-legacy-conversations"),
        ("cleanupOldQuotes", "cleanup-old-quotes"),
        ("health-check", "health-check"),
        ("send_digest", "send-digest"),
        ("HTTPServerCheck", "http-server-check"),
        ("Digest: every evening!", "digest-every-evening"),
        ("Tägliche Übersicht", "tagliche-ubersicht"),
        ("shop.tasks.send", "shop-tasks-send"),
        ("日本", "unnamed"),
        ("", "unnamed"),
        ("a" * 99 + "-b" * 9, "a" * 99),
    ],
)
def test_a_name_of_elsewhere_becomes_one_of_here(text, expected):
    assert allowed_name(text) == expected


@given(st.text(max_size=150))
def test_every_text_becomes_a_name_that_may_be_and_stays_so(text):
    name = allowed_name(text)

    assert is_valid_name(name)
    assert allowed_name(name) == name


@given(st.text(max_size=150), st.integers(0, 12))
def test_a_name_that_is_taken_gets_a_number(text, others):
    taken: list[str] = []
    for _ in range(others):
        taken.append(free_name(allowed_name(text), taken))

    assert len(set(taken)) == others
    assert all(is_valid_name(each) for each in taken)
    if others > 1:
        assert taken[1].endswith("-2")


def test_a_rule_is_divided_at_its_last_equals_sign():
    assert parse_rule("*--days=2*=send-digest") == Rule("*--days=2*", "send-digest")


@pytest.mark.parametrize("text", ["", "=", "backup", "=backup", "*backup*="])
def test_what_is_no_rule_is_refused(text):
    with pytest.raises(ValueError, match="is not of the form PATTERN=DEFINITION"):
        parse_rule(text)


def test_a_file_of_rules_may_have_remarks():
    assert rules_in("# ours\n\n*backup.sh*=nightly-backup\r\n  a=b  \n") == [
        Rule("*backup.sh*", "nightly-backup"),
        Rule("a", "b"),
    ]
    with pytest.raises(ValueError, match="line 2: 'c' is not of the form"):
        rules_in("a=b\nc\n")


@pytest.mark.parametrize(
    ("pattern", "is_about"),
    [("backup", True), ("*.sh --full", True), ("back*", True), ("*weekly*", False), ("BACKUP", False), ("", False)],
)
def test_a_rule_is_compared_with_the_name_and_the_whole_command(pattern, is_about):
    entry = Entry(place="line 1", name="backup", runs="backup", handles=("/opt/backup.sh --full",))

    assert Rule(pattern, "nightly-backup").is_about(entry) is is_about
