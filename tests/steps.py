"""What the README tells people to do, in its order, as a program can follow it.

A ``sh`` block holds commands. A ``python`` block belongs at the end of the file that its first line names.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_BLOCKS: Final = re.compile(r"^( *)```(sh|python)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Commands:
    """Lines for a shell."""

    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Addition:
    """Text for the end of a file."""

    name: str
    text: str

    def make(self, directory: Path) -> None:
        """Add it to the file of that name in `directory`."""
        with (directory / self.name).open("a", encoding="utf-8") as file:
            file.write("\n" + self.text)


def read_steps(text: str, heading: str) -> list[Commands | Addition]:
    """Return what the section `heading` of a document tells people to do; raise `ValueError` if it has no such section."""
    return [_read(kind, textwrap.dedent(body)) for kind, body in _blocks(section(text, heading))]


def first_block(text: str, heading: str) -> str:
    """Return the first block of Python in the section `heading` of a document."""
    return next(body for kind, body in _blocks(section(text, heading)) if kind == "python")


def section(text: str, heading: str) -> str:
    """Return the section `heading` of a document, down to the next heading of its rank."""
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    if found is None:
        raise ValueError(f"There is no section {heading!r}.")
    return found[1]


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    for found in _BLOCKS.finditer(text):
        yield found[2], found[3]


def _read(kind: str, body: str) -> Commands | Addition:
    if kind == "sh":
        return Commands(tuple(body.splitlines()))
    first, _, text = body.partition("\n")
    return Addition(first.removeprefix("# "), text)
