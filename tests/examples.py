"""The examples in docs/api.md: what is asked, and what the document says is answered.

A ``console`` block holds commands. What follows it at once is the answer to the last of them: a
``json`` block is the body of a 200, an ``http`` block begins with its status and may show headers.
A command without an answer is answered 200. ``…`` stands for more of the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

_BLOCKS: Final = re.compile(r"^```console\n(.*?)^```\n(?:\n```(json|http)\n(.*?)^```$)?", re.DOTALL | re.MULTILINE)
_METHOD: Final = re.compile(r"-X (\w+)")
_ADDRESS: Final = re.compile(r"https://example\.org(/[^\s'?]*)")
_MORE: Final = "…"
# Strings, brackets, and the ellipses between them.
_TOKENS: Final = re.compile(r'"(?:\\.|[^"\\])*"|[\[\]{}]|\s*,?\s*…\s*,?\s*')


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An answer as the document shows it; None as its body: the document does not show one."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """Commands that are run one after the other, and the answer to each of them."""

    line: int
    commands: tuple[str, ...]
    answer: Shown

    def steps(self) -> Iterator[tuple[str, Shown]]:
        """Yield each command with its answer."""
        *first, last = self.commands
        yield from ((each, Shown()) for each in first)
        yield last, self.answer

    def requests(self) -> Iterator[tuple[str, str]]:
        """Yield the method and the path of each command."""
        for each in self.commands:
            method, address = _METHOD.search(each), _ADDRESS.search(each)
            assert address is not None, f"line {self.line}: {each}"
            yield method[1] if method else "GET", address[1]

    def __str__(self) -> str:
        return f"line-{self.line}-{'-'.join(next(self.requests()))}"


def read_examples(text: str) -> list[Example]:
    """Return the examples of a document, in its order."""
    return [
        Example(
            line=text.count("\n", 0, found.start()) + 1,
            commands=tuple(found[1].replace("\\\n", " ").strip().splitlines()),
            answer=_read_answer(found[2], found[3]),
        )
        for found in _BLOCKS.finditer(text)
    ]


def _read_answer(kind: str | None, text: str) -> Shown:
    if kind != "http":
        return Shown(body=text)
    head, _, body = text.partition("\n\n")
    first, *lines = head.splitlines()
    headers = dict(line.split(": ", 1) for line in lines)
    return Shown(status=int(first.split()[1]), headers=headers, body=body)


def differences(shown: str, found: str) -> list[str]:
    """Return in what the body of an answer is not what the document shows."""
    if shown.lstrip().startswith("{"):
        return list(_differ(read_json(shown), json.loads(found), "the answer"))
    return [f"no line is like {line!r}" for line in shown.splitlines() if not _any_like(line, found.splitlines())]


def read_json(text: str) -> Any:
    """Return the JSON in which ``…`` stands for more members, more items, or more text."""
    inside: list[str] = []

    def replace(token: re.Match[str]) -> str:
        text = token[0]
        if text in "[{":
            inside.append(text)
        elif text in "]}":
            inside.pop()
        elif not text.startswith('"'):
            before = "" if token.string[: token.start()].rstrip()[-1] in "[{" else ","
            after = "" if token.string[token.end() :].lstrip()[0] in "]}" else ","
            more = f'"{_MORE}": null' if inside[-1] == "{" else f'"{_MORE}"'
            return f"{before}{more}{after}"
        return text

    return json.loads(_TOKENS.sub(replace, text))


def _differ(shown: Any, found: Any, where: str) -> Iterator[str]:
    match shown, found:
        case dict(), dict():
            yield from _differ_in_members(shown, found, where)
        case list(), list():
            yield from _differ_in_items(shown, found, where)
        case str(), str() if _is_like(shown, found):
            pass
        case (bool(), bool()) | (None, None) if shown == found:
            pass
        # How many there are, and how long it took, is another thing each time.
        case (int() | float(), int() | float()) if bool not in (type(shown), type(found)):
            pass
        case _:
            yield f"{where} is {found!r}, and not {shown!r}"


def _differ_in_members(shown: dict[str, Any], found: dict[str, Any], where: str) -> Iterator[str]:
    for name in shown.keys() - {_MORE}:
        if name in found:
            yield from _differ(shown[name], found[name], f"{where}.{name}")
        else:
            yield f"{where} has no {name!r}"
    if _MORE not in shown:
        yield from (f"{where} also has {name!r}" for name in found.keys() - shown.keys())


def _differ_in_items(shown: list[Any], found: list[Any], where: str) -> Iterator[str]:
    if _MORE not in shown:
        if len(shown) != len(found):
            yield f"{where} has {len(found)} items, and not {len(shown)}"
        for number, (one, other) in enumerate(zip(shown, found, strict=False)):
            yield from _differ(one, other, f"{where}[{number}]")
        return
    for each in shown:
        if each != _MORE and all(any(_differ(each, other, "")) for other in found):
            yield f"nothing in {where} is like {each!r}"


def _any_like(shown: str, lines: list[str]) -> bool:
    return any(_is_like(shown, each) for each in lines)


def _is_like(shown: str, found: str) -> bool:
    """Return whether the texts are the same but for their digits: times, numbers of executions, ports."""
    pattern = ".*".join(re.escape(_without_digits(part)) for part in shown.split(_MORE))
    return re.fullmatch(pattern, _without_digits(found), re.DOTALL) is not None


def _without_digits(text: str) -> str:
    return re.sub(r"\d+", "0", text)
