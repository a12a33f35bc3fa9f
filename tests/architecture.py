"""The picture of the architecture, and the table of its rooms, as the code has them; run as a module, it makes both.

In the picture, above, the rooms of the package: imports point down only. Below, the way of a due time through them.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
PICTURE: Final = ROOT / "docs/img/architecture.svg"
PAGE: Final = ROOT / "docs/architecture.md"

# What a layer is for, by one of its rooms. The lowest need no word.
MEANING: Final = {
    "apps": "found by Django and Celery",
    "admin": "for people and programs",
    "jobs": "jobs of our own",
    "manager": "all in one, and probes",
    "scheduler": "when, and in which order",
    "executors": "where attempts run",
    "retention": "what is deleted, and what moves in",
    "runner": "what is done with rows",
    "models": "what is stored",
    "security": "who did what",
    "registry": "what jobs are and say",
    "progress": "how far one has come",
    "conf": "values, and no database",
    "exceptions": "what can go wrong",
}
# The way of a due time: the module, and what it does.
WAY: Final = (
    ("scheduler.ticks", "sees that it is due, and writes one row for it, together with the next due time"),
    ("models.batches", "inserts the row: the unique key lets one node succeed, however many try"),
    ("scheduler.dispatcher", "claims the row when there is room, with a token and a lease"),
    ("executors", "gives it a thread, a process, or a message for a Celery worker"),
    ("runner", "calls the function, and decides how the attempt ended"),
    ("executors.recorder", "writes the end, or that another attempt is due, if the token is still its own"),
    ("scheduler.followups", "records what depends on it, once for each flow"),
    ("alerting", "sees what has changed for the worse, or the better"),
    ("notifications", "tells people, once, and a monitor"),
)

# Of rooms that say nothing of themselves.
_UNSAID: Final = {"management": "The commands of `manage.py`, and what they share."}

_WIDTH: Final = 1040
_LABELS: Final = 210
_CHARACTER: Final = 7.9
_CHIP: Final = 26
_GAP: Final = 8
_STYLE: Final = """
  text { font: 13px ui-monospace, "DejaVu Sans Mono", monospace; fill: #1f2933; }
  .label, .what { font-family: system-ui, "DejaVu Sans", sans-serif; }
  .label { fill: #52606d; }
  .layer { fill: #f5f7fa; }
  .room { fill: #ffffff; stroke: #9aa5b1; }
  .on-the-way { stroke: #0b69a3; stroke-width: 2; }
  .knows { fill: #52606d; }
  .number { fill: #0b69a3; }
  .number-text { fill: #ffffff; text-anchor: middle; }
  .line { stroke: #0b69a3; stroke-width: 2; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e4e7eb; }
    .label, .knows { fill: #9aa5b1; }
    .layer { fill: #1f2933; }
    .room { fill: #323f4b; stroke: #7b8794; }
    .on-the-way, .line { stroke: #47a3f3; }
    .number { fill: #47a3f3; }
    .number-text { fill: #102a43; }
  }
"""


@dataclass(frozen=True, slots=True)
class Box:
    """A room, with where its rectangle lies."""

    name: str
    knows: str
    x: float
    y: float
    width: float


@cache
def contracts() -> list[dict[str, Any]]:
    """Return what pyproject.toml demands of imports."""
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    return list(linter["contracts"])


def rooms() -> set[str]:
    """Return the names of the package's modules and packages, except those that hold no code of the app's layers."""
    package = ROOT / "cronjobs"
    found = {each.stem for each in package.glob("*.py")} | {each.parent.name for each in package.glob("*/__init__.py")}
    return found - {"__init__", *contracts()[0]["exhaustive_ignores"]}


def layers() -> list[list[str]]:
    """Return the rooms of each layer, the highest first; what may be missing and is missing is left out."""
    there = rooms()
    listed = [[each.strip(" ()") for each in line.split("|")] for line in contracts()[0]["layers"]]
    return [kept for layer in listed if (kept := [each for each in layer if each in there])]


def known() -> dict[str, str]:
    """Return which library only one room knows, by the name of the room."""
    names = [re.fullmatch(r"Only cronjobs\.(\w+) knows (.+)", each["name"]) for each in contracts()]
    return {found[1]: found[2] for found in names if found}


def with_rooms_table(text: str) -> str:
    """Return the page with its table of rooms as the code has them, the highest layer first."""
    rows = [f"| {number} | `{room}` | {purpose(room)} |" for number, layer in enumerate(layers(), 1) for room in layer]
    table = "\n".join(["| layer | room | what it is for |", "|---|---|---|", *rows, ""])
    place = re.compile(r"(?<=<!-- rooms: begin -->\n).*?(?=<!-- rooms: end -->)", re.DOTALL)
    return place.sub(lambda _: table, text)


def purpose(room: str) -> str:
    """Return what the room says of itself in the first line of its docstring."""
    package = ROOT / "cronjobs" / room / "__init__.py"
    path = package if package.exists() else ROOT / "cronjobs" / f"{room}.py"
    said = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or _UNSAID.get(room, "")
    return said.splitlines()[0].replace("``", "`").replace("|", "\\|")


def picture() -> str:
    """Return the picture as SVG."""
    parts, bottom = _layers()
    way, height = _way(bottom + 44)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:g}" role="img" '
        'aria-label="The rooms of the package, layer above layer, and the way of a due time through them">'
    )
    return "\n".join([head, f"<style>{_STYLE}</style>", *parts, *way, "</svg>", ""])


def _layers() -> tuple[list[str], float]:
    parts: list[str] = []
    y = 4.0
    for layer in layers():
        boxes = list(_placed(layer, y + _GAP))
        height = boxes[-1].y + _CHIP + _GAP - y
        parts.append(f'<rect class="layer" x="4" y="{y:g}" width="{_WIDTH - 8}" height="{height:g}" rx="6"/>')
        meaning = next((MEANING[each] for each in layer if each in MEANING), "")
        parts.append(f'<text class="label" x="16" y="{y + _GAP + 18:g}">{escape(meaning)}</text>')
        parts += [_drawn(each) for each in boxes]
        y += height + 4
    return parts, y


def _placed(layer: list[str], y: float) -> Iterator[Box]:
    x = float(_LABELS)
    for name in layer:
        knows = known().get(name, "")
        width = 20 + _CHARACTER * (len(name) + (len(knows) + 3 if knows else 0))
        if x + width > _WIDTH - 16:
            x, y = float(_LABELS), y + _CHIP + _GAP
        yield Box(name, knows, x, y, width)
        x += width + _GAP


def _drawn(box: Box) -> str:
    on_the_way = any(module.partition(".")[0] == box.name for module, _ in WAY)
    knows = f'<tspan class="knows"> · {escape(box.knows)}</tspan>' if box.knows else ""
    return (
        f'<rect class="room{" on-the-way" if on_the_way else ""}" x="{box.x:g}" y="{box.y:g}" '
        f'width="{box.width:g}" height="{_CHIP}" rx="5"/>'
        f'<text x="{box.x + 10:g}" y="{box.y + 18:g}">{box.name}{knows}</text>'
    )


def _way(y: float) -> tuple[list[str], float]:
    pitch = 34
    last = y + (len(WAY) - 1) * pitch
    parts = [
        f'<text class="label" x="16" y="{y - 22:g}">The way of a due time</text>',
        f'<line class="line" x1="30" y1="{y:g}" x2="30" y2="{last:g}"/>',
    ]
    for number, (module, what) in enumerate(WAY, 1):
        parts.append(
            f'<circle class="number" cx="30" cy="{y:g}" r="12"/>'
            f'<text class="number-text" x="30" y="{y + 5:g}">{number}</text>'
            f'<text x="56" y="{y + 5:g}">{module}</text>'
            f'<text class="what" x="250" y="{y + 5:g}">{escape(what)}</text>'
        )
        y += pitch
    return parts, y


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
    PAGE.write_text(with_rooms_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
