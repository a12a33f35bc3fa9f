"""The reference, as the code has it: each module makes one part of a page in docs/ as Markdown, or a picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; what would end a cell is escaped."""
    cells = [list(header), ["---"] * len(header), *([_cell(each) for each in row] for row in rows)]
    return "".join(f"| {' | '.join(row)} |\n" for row in cells)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", r"\|").split())


def code(names: Iterable[str], *, between: str = ", ") -> str:
    """Return names as code, one after the other."""
    return between.join(f"`{each}`" for each in names)
