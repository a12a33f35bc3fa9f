"""What the query string of a GET may say: known parameters only, each checked where it is read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from typing import Any, TypeVar

from rest_framework.request import Request

from cronjobs.api.errors import InvalidQuery
from cronjobs.jobs._values import as_instant
from cronjobs.parsing import ID_DIGITS, row_id

_Value = TypeVar("_Value")


class Query:
    """The parameters of a request, read one by one; `done` raises `InvalidQuery` for all that was wrong with them."""

    def __init__(self, request: Request, *, known: Collection[str]) -> None:
        self._parameters = request.query_params
        listed = ", ".join(known) or "none"
        self._errors = {
            name: f"There is no such parameter; known: {listed}." for name in self._parameters if name not in known
        }

    def read(self, name: str, parse: Callable[[str], _Value], *, default: _Value) -> _Value:
        """Return what `parse` makes of a parameter; the default if it is not there, or wrong: then `done` says so."""
        texts = self._parameters.getlist(name)
        if not texts:
            return default
        if len(texts) > 1:
            self._errors[name] = "Give it once."
            return default
        try:
            return parse(texts[0])
        except ValueError as error:
            self._errors[name] = str(error)
            return default

    def read_several(self, name: str, choices: Iterable[str]) -> list[str]:
        """Return the values of a parameter that may be repeated, or be a list with commas; each once."""
        known = list(choices)
        values = [each.strip() for text in self._parameters.getlist(name) for each in text.split(",")]
        if not set(values) <= set(known):
            self._errors[name] = f"Each must be one of {', '.join(known)}."
            return []
        return list(dict.fromkeys(values))

    def done(self) -> None:
        """Raise `InvalidQuery` if anything was wrong."""
        if self._errors:
            raise InvalidQuery({name: [message] for name, message in self._errors.items()})


def whole_number(most: int = 10**ID_DIGITS - 1, *, least: int = 1) -> Callable[[str], int]:
    """Return a parser of whole numbers from `least` to `most`."""

    def parse(text: str) -> int:
        number = row_id(text)
        if number is None or not least <= number <= most:
            raise ValueError(f"Must be a whole number from {least} to {most}.")
        return number

    return parse


def instant(text: str) -> datetime:
    """Return a time in UTC, from text with its zone."""
    # The + of an offset that was not escaped has become a space.
    return as_instant(text.replace(" ", "+") if "T" in text else text)


def some_name(text: str) -> str:
    """Return text that may be a name of something."""
    # PostgreSQL refuses NUL.
    if not text or "\x00" in text or len(text) > 150:
        raise ValueError("Must be a name.")
    return text


def one_of(choices: Iterable[str]) -> Callable[[str], str]:
    """Return a parser of one of some words."""
    known = list(choices)

    def parse(text: str) -> str:
        if text not in known:
            raise ValueError(f"Must be one of {', '.join(known)}.")
        return text

    return parse


def next_address(request: Request, **changes: Any) -> str:
    """Return the path and query of this request with some parameters changed: where to go on reading."""
    parameters = request.query_params.copy()
    for name, value in changes.items():
        parameters[name] = str(value)
    return f"{request.path}?{parameters.urlencode()}"
