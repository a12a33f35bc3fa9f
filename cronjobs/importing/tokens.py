"""The words of a JavaScript or JSON file, without any meaning; none of it is ever evaluated."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
      (?P<space>\s+)
    | (?P<comment>//[^\n]*|/\*.*?\*/|\A\#![^\n]*)
    | (?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\$]|\$(?!\{))*`)
    | (?P<name>[^\W\d][\w$]*|\$[\w$]*)
    | (?P<number>[-+]?\.?\d[\w.]*)
    | (?P<mark>\.\.\.|=>|[{}\[\]():,;=])
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:u\{([0-9a-fA-F]{1,6})\}|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(\r\n|.))", re.DOTALL)
_MEANT = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0", "\n": "", "\r\n": "", "\r": ""}


@dataclass(frozen=True, slots=True)
class Token:
    """A word, a sign or a text; of a text in quotes, `text` is what it says."""

    kind: str
    text: str
    line: int

    def is_mark(self, *marks: str) -> bool:
        """Return whether it is one of these signs."""
        return self.kind == "mark" and self.text in marks


def tokens_of(source: str) -> Iterator[Token]:
    """Yield the tokens of `source` without spaces and comments; what is no token is one of the kind "other"."""
    line = 1
    for match in _TOKEN.finditer(source):
        kind, text = match.lastgroup or "other", match.group()
        if kind == "string":
            yield Token(kind, _ESCAPE.sub(_unescaped, text[1:-1]), line)
        elif kind not in ("space", "comment"):
            yield Token(kind, text, line)
        line += text.count("\n")


def _unescaped(match: re.Match[str]) -> str:
    number, other = match[1] or match[2] or match[3], match[4]
    if number is not None:
        # Beyond what Unicode has there is no character.
        return chr(int(number, 16)) if int(number, 16) <= 0x10FFFF else "\N{REPLACEMENT CHARACTER}"
    return _MEANT.get(other, other)
