"""What is taken out of text, and what stays."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cronjobs.conf import Settings
from cronjobs.masking import is_secret, mask_text
from cronjobs.storable import storable_text

WORDS = Settings().mask


def masked(text):
    return mask_text(text, WORDS)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("password=hunter2", "password=***"),
        ("password = hunter2 ", "password = *** "),
        ("PGPASSWORD=hunter2 psql", "PGPASSWORD=*** psql"),
        ("host=db password=hunter2 dbname=x", "host=db password=*** dbname=x"),
        ("https://x/?token=abc&page=2", "https://x/?token=***&page=2"),
        ("connect(password=hunter2), then", "connect(password=***), then"),
        ("connect(password='hunter2', port=1)", "connect(password='***', port=1)"),
        ("{'token': 'it\\'s', 'n': 1}", "{'token': '***', 'n': 1}"),
        ("{b'token': b'abc', b'n': b'1'}", "{b'token': b'***', b'n': b'1'}"),
        ('{"api_key": "abc", "n": 1}', '{"api_key": "***", "n": 1}'),
        ('"{\\"token\\": \\"a\\", \\"n\\": 1}"', '"{\\"token\\": \\"***\\", \\"n\\": 1}"'),
        ("{'cookies': {'a': ['b', '}'], 'c': 1}, 'n': 1}", "{'cookies': ***, 'n': 1}"),
        ("headers['Authorization'] = 'Bearer abc'", "headers['Authorization'] = '***'"),
        ("token: 'x y'", "token: '***'"),
        ("SET password='it''s hunter2', n=''", "SET password='***', n=''"),
        ("password: correct horse battery", "password: ***"),
        ("(password: hunter2)", "(password: ***)"),
        ("password: hunter2, user: ann", "password: ***, user: ann"),
        ("password: hunter2 user: ann", "password: *** user: ann"),
        ("Authorization: Bearer abc.def", "Authorization: ***"),
        ('Authorization: Digest username="ann", response="abc"', 'Authorization: ***"'),
        ("authorization=Bearer abc.def x", "authorization=*** x"),
        ("Cookie: a=1; sid=abc\nHost: x", "Cookie: ***\nHost: x"),
        ('curl -H "Authorization: Bearer abc" https://x', 'curl -H "Authorization: ***" https://x'),
        ("X-Api-Key: abc", "X-Api-Key: ***"),
        ("privateKey => abc", "privateKey => ***"),
        ("run --password hunter2 --host x", "run --password *** --host x"),
        ("run --db-password=hunter2", "run --db-password=***"),
        ("Command '['mysql', '--password', 'hunter2']' failed", "Command '['mysql', '--password', '***']' failed"),
        ("postgres://ann:hunter2@db:5432/x is away", "postgres://***@db:5432/x is away"),
        ("postgres://ann:p@ss@db/x", "postgres://***@db/x"),
        ("postgres://ann:pa/ss@db/x", "postgres://***@db/x"),
        ("https://ghp_abc@github.com/x", "https://***@github.com/x"),
        ("İ password=hunter2 x", "İ password=*** x"),
        ("password=first\nsecond", "password=***\nsecond"),
        ("password: 'first\nsecond'", "password: '***\nsecond'"),
        ("secret=a secret=b", "secret=*** secret=***"),
    ],
)
def test_a_value_after_a_telling_name_is_masked(text, shown):
    assert masked(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "the token expired",
        "password must not be empty",
        "secret santa",
        "Enter the password:",
        "password: This field is required.",
        "Invalid parameters for 'x': token: Enter a value, please.; days: Enter a whole number.",
        "cryptography.fernet.InvalidToken: Signature has expired",
        "TokenError: Signature has expired",
        "KeyError: 'token'",
        "use --no-password --host x",
        "password=None, token: null",
        "password=''",
        "http://localhost:8000/users/@me",
        "mail to ann@example.com at 12:30",
        "",
    ],
)
def test_ordinary_text_stays(text):
    assert masked(text) == text


def test_without_words_only_addresses_are_masked():
    assert mask_text("password=a at http://b:c@d", ()) == "password=a at http://***@d"
    assert mask_text("password=a", [""]) == "password=a"


@pytest.mark.parametrize("name", ["password", "Api-Key", "apiKeyId", "X_API_KEY", "api key", "db_passwd2"])
def test_a_name_is_secret_however_its_parts_are_joined(name):
    assert is_secret(name, WORDS)
    assert not is_secret("n", WORDS)
    assert not is_secret(name, [""])


FRAGMENTS = [
    *WORDS,
    "=",
    ":",
    ": ",
    " ",
    "\n",
    "'",
    '"',
    "\\",
    "{",
    "}",
    "[",
    "]",
    ",",
    ";",
    "--",
    "://",
    "@",
    "a",
    "B.",
]


@settings(deadline=None)
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=30).map("".join))
def test_masking_again_changes_nothing_more(text):
    once = masked(text)

    assert masked(once) == once
    assert once.count("\n") == text.count("\n")


@pytest.mark.parametrize(
    "fragment",
    ["a=", "password", "password   ", "token='x' ", "token: a, b, ", "token: Aa bb ", "token:{'", "://a:", "-token \\"],
)
def test_a_megabyte_of_rubbish_is_read_once(fragment):
    """What goes over the same text again and again would need hours: the square of a million steps."""
    found = masked(fragment * (1_000_000 // len(fragment)))

    assert found[:100] == masked(fragment * 100)[:100]


@settings(deadline=None)
@given(st.text(alphabet="abc9-+/=&,;:", min_size=1, max_size=30))
def test_no_cut_leaves_a_part_of_a_secret(secret):
    text = f"postgres://ann:{secret.replace('/', '')}@db password='{secret}' end"

    for size in range(40, 100):
        cut = storable_text(text, max_bytes=size, mask=WORDS)
        assert cut in storable_text(text, mask=WORDS) or cut.endswith("[cut]")
        assert f"'{secret[:1]}" not in cut
        assert "ann" not in cut
