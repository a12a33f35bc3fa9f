"""A language in which every translated text stands in brackets, and what a page says outside of them."""

from __future__ import annotations

import gettext
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from typing import Any

from django.utils import translation
from django.utils.translation import trans_real

# A language that Django knows, so that it has dates and numbers; nobody's in the tests.
LANGUAGE = "eo"
OPEN, CLOSE = "⟦", "⟧"
_CONTEXT = trans_real.CONTEXT_SEPARATOR
_READ_ALOUD = (
    *("title", "aria-label", "placeholder", "alt", "label", "aria-valuetext"),
    # Said by scripts: live.js, log.js, preview.js and defaults.js.
    *("data-live-failed", "data-live-gone", "data-live-signed-out", "data-following", "data-scrolled", "data-over"),
    *("data-failed", "data-signed-out", "data-restored"),
)
_BUTTONS = ("submit", "button", "reset")
_SILENT = ("script", "style")


class _Brackets(gettext.NullTranslations):
    """A catalogue that has every message: the message itself, in brackets."""

    def gettext(self, message: str) -> str:
        return f"{OPEN}{message.rpartition(_CONTEXT)[2]}{CLOSE}"

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return self.gettext(msgid1 if n == 1 else msgid2)

    def to_language(self) -> str:
        return LANGUAGE

    def language(self) -> str:
        return LANGUAGE


@contextmanager
def bracketed() -> Iterator[None]:
    """Let everything be translated so meanwhile."""
    known: Any = vars(trans_real)["_translations"]
    before = known.get(LANGUAGE)
    known[LANGUAGE] = _Brackets()
    try:
        with translation.override(LANGUAGE):
            yield
    finally:
        known.pop(LANGUAGE)
        if before is not None:
            known[LANGUAGE] = before


class _Reader(HTMLParser):
    """Collects what somebody sees or hears of a page and no bracket surrounds."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._silent = 0
        self._depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in _SILENT
        facts = dict(attrs)
        names = [*_READ_ALOUD, *(["value"] if tag == "input" and facts.get("type") in _BUTTONS else [])]
        for name in names:
            self.texts += _outside(facts.get(name) or "", 0)[0]

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in _SILENT

    def handle_data(self, data: str) -> None:
        # A translated text may have tags in it.
        if not self._silent:
            found, self._depth = _outside(data, self._depth)
            self.texts += found


def _outside(text: str, depth: int) -> tuple[list[str], int]:
    """Return the pieces of a text at depth 0, and the depth at its end."""
    pieces = [""]
    for character in text:
        if character == OPEN:
            depth += 1
        elif character == CLOSE:
            depth -= 1
        elif depth <= 0:
            pieces[-1] += character
            continue
        if pieces[-1]:
            pieces.append("")
    return [piece.strip() for piece in pieces if piece.strip()], max(depth, 0)


def unmarked(source: str) -> list[str]:
    """Return the texts of a page, rendered while everything is bracketed, that were not translated: data, or mistakes."""
    reader = _Reader()
    reader.feed(source)
    reader.close()
    return reader.texts
