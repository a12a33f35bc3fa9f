"""The Markdown files of the repository: their links, their anchors, and the code that they show."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.servers import ROOT

_FENCED: Final = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_CODE: Final = re.compile(r"`[^`\n]*`")
_LINK: Final = re.compile(r"\]\(([^)\s]+)\)|(?:src|srcset|href)=\"([^\"]+)\"")
_ELSEWHERE: Final = re.compile(r"[a-z][a-z0-9+.-]*:|//")
_HEADING: Final = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
_WHAT_ENDS_A_COMMAND: Final = frozenset({">", ">>", "|", "&&", ";"})


def markdown_files() -> list[Path]:
    """Return every Markdown file of the repository."""
    folders = [ROOT / name for name in ("docs", "bench", ".github")]
    return sorted([*ROOT.glob("*.md"), *(each for folder in folders for each in folder.rglob("*.md"))])


def named(path: Path) -> str:
    """Return how a test calls a file."""
    return path.relative_to(ROOT).as_posix()


def links(text: str) -> list[str]:
    """Return where links and pictures lead to that stay within the repository."""
    found = [one or other for one, other in _LINK.findall(_CODE.sub("", _FENCED.sub("", text)))]
    return [each for each in found if not _ELSEWHERE.match(each)]


def anchors(text: str) -> list[str]:
    """Return the anchors of the headings, as whoever shows Markdown makes them."""
    return [_slug(each) for each in _HEADING.findall(_FENCED.sub("", text))]


def _slug(heading: str) -> str:
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
    return re.sub(r"[^\w\- ]", "", plain).strip().replace(" ", "-")


def blocks(text: str, language: str) -> list[str]:
    """Return the blocks of code in a language, with or without a title."""
    return re.findall(rf"^```{language}(?: [^\n]*)?\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def manage_commands(text: str) -> Iterator[list[str]]:
    """Yield the words after `manage.py` of each command that is to be typed."""
    for block in blocks(text, "console"):
        for line in block.splitlines():
            words = shlex.split(line.removeprefix("$ ")) if line.startswith("$ ") else []
            if "manage.py" in words:
                yield list(_until_the_end(words[words.index("manage.py") + 1 :]))


def _until_the_end(words: list[str]) -> Iterator[str]:
    for each in words:
        if each in _WHAT_ENDS_A_COMMAND:
            return
        yield each
