"""Names of other schedulers, as a job may have them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from itertools import count

from cronjobs.registry import NAME_MAX_LENGTH

# camelCase, and HTTPServer: before a capital that begins a word.
_WORD_BEGINS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NOT_ALLOWED = re.compile(r"[^a-z0-9]+")
_NAMELESS = "unnamed"


def allowed_name(text: str) -> str:
    """Return `text` as the name of a job: words in lower-case letters and digits without accents, joined by hyphens.

    ``CLEANUP_OLD_QUOTES``, ``cleanupOldQuotes`` and ``Cleanup: old quotes`` all become ``cleanup-old-quotes``.
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")
    words = _NOT_ALLOWED.sub("-", _WORD_BEGINS.sub("-", plain).lower()).strip("-")
    return words[:NAME_MAX_LENGTH].rstrip("-") or _NAMELESS


def free_name(name: str, taken: Collection[str]) -> str:
    """Return `name`, or the first of ``name-2``, ``name-3`` and so on that is not taken."""
    if name not in taken:
        return name
    for number in count(2):
        end = f"-{number}"
        found = f"{name[: NAME_MAX_LENGTH - len(end)].rstrip('-')}{end}"
        if found not in taken:
            return found
    raise AssertionError("unreachable")
