"""Takes secrets out of text: values that stand beside a telling name, and what stands before the @ of an address.

Everything here reads the text once from left to right, however it is made: each expression
is either bounded in length or goes on where the last one ended.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

MASKED = "***"

# So much before a word is looked at, for the beginning of the name it belongs to.
_HEAD = 40
_NAME_CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
_TAIL = re.compile(r"[\w-]*+")
# The end of a quoted or bracketed name, and what says that a value follows.
_ASSIGNMENT = re.compile(r"""[\\"'\])]{0,4}[ \t]*+(?P<sign>=>|:=|==?|:)(?P<gap>[ \t]*+)""")
# --password hunter2, and the same as a list of arguments: '--password', 'hunter2'.
_ARGUMENT = re.compile(r"""["']?(?:,[ \t]*+|[ \t]++)(?!["']?-)""")
# A quote within may be doubled, as SQL has it.
_QUOTED = re.compile(
    r"""[bBrRuUfF]{0,2}(?P<quote>"{3}|'{3}|["'])(?P<value>(?:\\[^\n]|(?!(?P=quote))[^\\\n]|(?P=quote){2}(?=[^\s,;:)\]}]))*+)"""
)
# The same in text that is itself quoted: \"x\".
_ESCAPED = re.compile(r"""(?P<quote>\\+["'])(?P<value>(?:(?!(?<!\\)(?P=quote))[^\n])*+)""")
_BRACKETS = frozenset("[{(")
_BRACKETED = re.compile(r"""[\[{(]|[\]})]|"(?:\\.|[^"\\\n])*+"?|'(?:\\.|[^'\\\n])*+'?|\n""")
_SCHEME = re.compile(r"(?:Bearer|Basic|Digest|Negotiate|Token|ApiKey|Key)[ \t]++(?=\S)", re.IGNORECASE)
# Where a value without quotes ends: at another name with a value, at a quote that closes, at the line's end.
_NEXT_NAME = r"""["'\\]{0,3}[,;&]\s{0,8}["'\\{]{0,3}[\w.-]{1,64}["'\\]{0,3}[=:]"""
_CLOSING = r"""["'](?=[\s,;:)\]}]|\Z)"""
_END_OF_WORD = re.compile(rf"(?=\s|{_NEXT_NAME}|{_CLOSING}|\Z)")
_END_OF_WORDS = re.compile(rf"(?=[\r\n]|{_NEXT_NAME}|[ \t][\w.-]{{1,64}}[=:]|{_CLOSING}|\Z)")
# "Cookie: a=x; b=y" and 'Authorization: Digest a="x", b=y' are one secret up to the end.
_END_OF_HEADER = re.compile(r"""(?:[^"'\r\n=]|=(?:"[^"\r\n]*+")?|["'](?![\s,;:)\]}]|\Z))*+""")
_HEADER = re.compile("(?:authorization|cookie)s?", re.IGNORECASE)
_TRAILING = " \t,;.)]}>\"'\\"
_NO_SECRET = re.compile(r"""\\*["']?\*{3}(?!\w)|(?:None|null|True|False|true|false)\b""")
# What a form says of a field, in "password: This field is required."
_SENTENCE = re.compile(r"[A-Z][a-z']{0,20}(?: [A-Za-z'-]{1,20},?){1,20}[.!?](?=[\s;\"']|\Z)")
# "InvalidToken: …" and "TokenError: …" are the names of exceptions.
_EXCEPTION_HEAD = re.compile(r"(?:Invalid|Expired|Missing|Unknown|Unexpected|Bad|Wrong)\w*\Z")
_EXCEPTION_TAIL = re.compile(r"\w*(?:Error|Exception|Warning)\Z")
_CREDENTIALS = re.compile(
    r"""(?<=://)(?!\*{3}@)(?:[^\s/"'<>]*|[^\s/:@"'<>]{0,256}:(?!\d{1,5}(?:[/?#]|\Z))[^\s@"'<>]{1,256})@"""
)


def mask_text(text: str, words: Iterable[str]) -> str:
    """Return `text` with ``***`` in place of the values that follow a name that contains one of `words`.

    ``password=x``, ``"api_key": "x"``, ``Authorization: Bearer x``, ``--token x`` and the like,
    and ``://user:x@`` whatever the words. A value ends with its line at the latest. Prose such
    as "the token expired" stays. Doing it twice changes nothing more.
    """
    if "://" in text and "@" in text:
        text = _CREDENTIALS.sub(f"{MASKED}@", text)
    pattern = _pattern(frozenset(words))
    return text if pattern is None else _mask_values(text, pattern)


def is_secret(name: str, words: Iterable[str]) -> bool:
    """Return whether a value under `name` is masked: it contains one of `words`, however its parts are joined."""
    joined = _joined(name)
    return any(word in joined for word in _joined_words(tuple(words)))


# The same few for every key of every result.
@lru_cache(maxsize=16)
def _joined_words(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_joined(word) for word in words if word)


def _mask_values(text: str, pattern: re.Pattern[str]) -> str:
    # Ten times as fast as a search that ignores case. One letter is longer when it is lower-case.
    lowered = text.replace("\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}", "i").lower()
    parts: list[str] = []
    done = at = 0
    while hit := pattern.search(lowered, at):
        tail = _TAIL.match(text, hit.end())
        at = hit.end() if tail is None else tail.end()
        begin, end = _value(text, hit.start(), hit.end(), at)
        if end > begin:
            parts += text[done:begin], MASKED
            done = at = end
    return "".join([*parts, text[done:]]) if parts else text


def _value(text: str, word: int, word_end: int, name_end: int) -> tuple[int, int]:
    """Return where the value of a name begins and ends; twice the same if there is nothing to hide."""
    before = text[max(0, word - _HEAD) : word]
    head = before[len(before.rstrip(_NAME_CHARACTERS)) :]
    if assigned := _ASSIGNMENT.match(text, name_end):
        if _EXCEPTION_HEAD.search(head) or _EXCEPTION_TAIL.match(text[word_end:name_end][-_HEAD:]):
            return name_end, name_end
        if not assigned["gap"] or assigned["sign"] != ":":
            return _value_at(text, assigned.end(), _END_OF_WORD)
        is_header = _HEADER.fullmatch(text, word, name_end)
        return _value_at(text, assigned.end(), _END_OF_HEADER if is_header else _END_OF_WORDS)
    if head.startswith("-") and (argument := _ARGUMENT.match(text, name_end)):
        return _value_at(text, argument.end(), _END_OF_WORD)
    return name_end, name_end


def _value_at(text: str, begin: int, end_of_unquoted: re.Pattern[str]) -> tuple[int, int]:
    if _NO_SECRET.match(text, begin):
        return begin, begin
    if quoted := _QUOTED.match(text, begin) or _ESCAPED.match(text, begin):
        return quoted.span("value")
    least = begin
    if text[begin : begin + 1] in _BRACKETS:
        least, end_of_unquoted = _end_of_brackets(text, begin), _END_OF_WORD
    elif end_of_unquoted is _END_OF_WORDS and _SENTENCE.match(text, begin):
        return begin, begin
    elif scheme := _SCHEME.match(text, begin):
        least = scheme.end()
    found = end_of_unquoted.search(text, least)
    end = len(text) if found is None else found.end()
    return begin, max(least, begin + len(text[begin:end].rstrip(_TRAILING)))


def _end_of_brackets(text: str, begin: int) -> int:
    """Return where the bracket at `begin` is closed, or its line ends."""
    depth, at = 0, begin
    while found := _BRACKETED.search(text, at):
        if found[0] == "\n":
            return found.start()
        at = found.end()
        depth += (found[0] in _BRACKETS) - (found[0] in "]})")
        if depth == 0:
            return at
    return len(text)


def _joined(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "").replace(" ", "")


@lru_cache(maxsize=16)
def _pattern(words: frozenset[str]) -> re.Pattern[str] | None:
    """Return what finds any of `words`, with or without something between their parts; None if there are none."""
    lowered = sorted(re.escape(word.lower()) for word in words if word)
    alternatives = [word.replace("_", "[-_ ]?").replace(r"\-", "[-_ ]?") for word in lowered]
    return re.compile("|".join(alternatives)) if alternatives else None
