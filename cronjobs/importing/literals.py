"""The object literals of a JavaScript or JSON file, as far as they are plain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cronjobs.importing.entries import Unreadable
from cronjobs.importing.tokens import Token, tokens_of

# Deeper than any file of schedules, and within what Python can follow.
_DEEPEST = 30
_OPENING, _CLOSING = {"{": "}", "[": "]", "(": ")"}, ("}", "]", ")")
_WORDS: dict[str, object] = {"true": True, "false": False, "null": None, "undefined": None}


@dataclass(frozen=True, slots=True)
class Odd:
    """A value that only running the file could tell."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number, as it is written."""

    text: str


@dataclass(frozen=True, slots=True)
class Member:
    """A key of an object, its line, and its value: text, True, False, None, `Number`, an `Object`, or `Odd`."""

    key: str
    line: int
    value: object


@dataclass(frozen=True, slots=True)
class Object:
    """An object literal: its members in their order."""

    members: tuple[Member, ...]


def objects_in(source: str) -> tuple[Object, ...]:
    """Return the outermost object literals that are assigned, exported, passed on, or all of the file.

    Raises `Unreadable` for brackets that do not match. Blocks of code are passed over.
    """
    return tuple(_Reader(list(tokens_of(source))).objects())


class _Reader:
    """Goes through tokens once, from the first to the last."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens, self._at = tokens, 0
        self._known: set[str] = set()

    def objects(self) -> Iterator[Object]:
        before: Token | None = None
        while (token := self._peek()) is not None:
            if token.is_mark("{") and _expects_value(before):
                found = self._object(1)
                # A function may take its parameters apart in the same way.
                if not (before and before.text == "(" and all(isinstance(each.value, Odd) for each in found.members)):
                    yield found
                before = self._tokens[self._at - 1]
                continue
            if token.is_mark("=") and before is not None:
                self._known.add(before.text)
            before = self._next()

    def _object(self, depth: int) -> Object:
        opening, members = self._next(), []
        if depth > _DEEPEST:
            raise Unreadable(f"The object on line {opening.line} is nested more than {_DEEPEST} deep.")
        while not self._peek_of(opening).is_mark("}"):
            if self._peek_of(opening).is_mark(","):
                self._next()
            else:
                members += self._member(opening, depth)
        self._next()
        return Object(tuple(members))

    def _member(self, opening: Token, depth: int) -> list[Member]:
        """Return the member that begins here; none for the short form of one whose object has been read before."""
        key = self._next()
        following = self._peek_of(opening)
        if key.kind in ("string", "name", "number") and following.is_mark(":"):
            self._next()
            return [Member(key.text, key.line, self._value(opening, depth))]
        if key.kind == "name" and following.is_mark(",", "}") and key.text in self._known:
            return []
        # Spread, computed, a method, or the name of something that is defined elsewhere.
        self._at -= 1
        text = "".join(each.text for each in self._skipped(opening)[:4])
        return [Member(text, key.line, Odd())]

    def _value(self, opening: Token, depth: int) -> object:
        token = self._peek_of(opening)
        if token.is_mark("{"):
            value: object = self._object(depth + 1)
        else:
            value = _plain(token)
            if not isinstance(value, Odd):
                self._next()
        # What follows may make something else of it: a sum, a call, a choice.
        return Odd() if self._skipped(opening) else value

    def _skipped(self, opening: Token) -> list[Token]:
        """Return the tokens up to the end of the member that this one belongs to, after going past them."""
        skipped: list[Token] = []
        expected: list[str] = []
        while expected or not self._peek_of(opening).is_mark(",", "}"):
            self._peek_of(opening)
            token = self._next()
            skipped.append(token)
            if token.is_mark(*_OPENING):
                expected.append(_OPENING[token.text])
            elif token.is_mark(*_CLOSING) and (not expected or expected.pop() != token.text):
                raise Unreadable(f"The {token.text} on line {token.line} closes nothing.")
        return skipped

    def _peek(self) -> Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _peek_of(self, opening: Token) -> Token:
        """Return the next token, of which there has to be one until that bracket is closed."""
        token = self._peek()
        if token is None:
            raise Unreadable(f"The {opening.text} on line {opening.line} is never closed.")
        return token

    def _next(self) -> Token:
        self._at += 1
        return self._tokens[self._at - 1]


def _expects_value(before: Token | None) -> bool:
    """Return whether a { after this token begins an object, and not a block."""
    return before is None or before.is_mark("=", "(") or (before.kind == "name" and before.text == "default")


def _plain(token: Token) -> object:
    if token.kind == "string":
        return token.text
    if token.kind == "number":
        return Number(token.text)
    return _WORDS.get(token.text, Odd()) if token.kind == "name" else Odd()
