"""What the documents say is what the code does, and what they point to is there."""

from __future__ import annotations

import ast
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from cronjobs.conf import Settings
from cronjobs.registry import Registry
from cronjobs.states import MOVES, ExecutionStatus
from tests.documentation import ASK_THE_DATABASE, DOCS, LIFECYCLE, PARTS, README, part_of
from tests.markdown import anchors, blocks, links, manage_commands, markdown_files, named
from tests.reference import lifecycle
from tests.servers import ROOT

HOW = "Run: .venv/bin/python -m tests.documentation"
# Their code is whole: it runs as it stands.
WHOLE = sorted(
    [DOCS / "index.md", DOCS / "reference/settings.md", DOCS / "reference/events.md", *DOCS.glob("guides/*.md")]
)
# Signatures, and not code.
SIGNATURES = DOCS / "reference/python.md"


@pytest.mark.parametrize(
    "part", [pytest.param(each, id=" ".join(each)) for each in PARTS if each not in ASK_THE_DATABASE]
)
def test_what_follows_from_the_code_is_up_to_date(part):
    assert part_of(*part) == PARTS[part](), HOW


def leads_somewhere(path, link):
    name, _, anchor = link.partition("#")
    target = (path.parent / name).resolve() if name else path
    if not (target.exists() and target.is_relative_to(ROOT)):
        return False
    return not anchor or anchor in anchors(target.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", markdown_files(), ids=named)
def test_every_link_leads_somewhere(path):
    assert [each for each in links(path.read_text(encoding="utf-8")) if not leads_somewhere(path, each)] == []


def test_links_and_anchors_are_found():
    assert links("[a](b.md#c) `[no](code)` [x](https://x.org) <img src='no'> <img src=\"d.png\">") == [
        "b.md#c",
        "d.png",
    ]
    assert anchors("# One\n```\n# no\n```\n## `two` and [three](x.md): 4 – five?") == ["one", "two-and-three-4--five"]


@pytest.mark.parametrize("path", [each for each in markdown_files() if each != SIGNATURES], ids=named)
def test_every_example_is_python(path):
    for block in blocks(path.read_text(encoding="utf-8"), "python"):
        compile(block, named(path), "exec")


@pytest.mark.parametrize("path", WHOLE, ids=named)
def test_the_examples_run_and_declare_what_they_say(path, monkeypatch):
    fresh = Registry()
    monkeypatch.setattr("cronjobs.registry._declaring.registry", fresh)
    names: dict[str, object] = {"__name__": path.stem}
    for block in blocks(path.read_text(encoding="utf-8"), "python"):
        exec(compile(block, named(path), "exec"), names)  # noqa: S102 - our own example
        if isinstance(settings := names.pop("CRONJOBS", None), dict):
            Settings.from_mapping(settings, path="CRONJOBS")

    assert fresh.problems == []


def test_the_example_jobs_in_the_readme_are_some(monkeypatch):
    fresh = Registry()
    monkeypatch.setattr("cronjobs.registry._declaring.registry", fresh)
    names: dict[str, object] = {}
    for example in blocks(README.read_text(encoding="utf-8"), "python"):
        if "@job(" in example:
            exec(compile(example, "README.md", "exec"), names)  # noqa: S102 - our own example

    assert fresh.problems == []
    assert fresh["send-digest"].schedule.describe()
    assert fresh["send-digest"].clean({"days": 2}) == {"days": 2}


@pytest.mark.parametrize("path", [README, *sorted(DOCS.rglob("*.md"))], ids=named)
def test_every_command_can_be_typed(path):
    known = get_commands()
    for name, *arguments in manage_commands(path.read_text(encoding="utf-8")):
        assert name in known, name
        load_command_class(known[name], name).create_parser("manage.py", name).parse_args(arguments)


def texts_in_code():
    """Return every text that the code holds, without what is filled in."""
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "cronjobs").rglob("*.py"))
    constants = (each.value for tree in trees for each in ast.walk(tree) if isinstance(each, ast.Constant))
    return "\n".join(each for each in constants if isinstance(each, str))


def test_the_sentences_that_troubleshooting_quotes_are_said():
    quoted = re.findall(r"(?<![*\w])\*([^*\n]{16,})\*(?!\*)", (DOCS / "troubleshooting.md").read_text(encoding="utf-8"))
    # What is filled in differs.
    parts = {part.strip() for each in quoted for part in re.split(r"…|\bheavy\b|\b4711\b", each)}
    said = texts_in_code()

    assert len(quoted) > 10
    assert [each for each in parts if each not in said] == []


def test_every_page_has_one_title():
    for path in DOCS.rglob("*.md"):
        text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
        assert text.startswith("# "), named(path)
        assert len(re.findall(r"^# ", text, re.MULTILINE)) == 1, named(path)


def test_the_picture_of_the_lifecycle_has_every_move_and_no_other():
    assert LIFECYCLE.read_text(encoding="utf-8") == lifecycle.picture(), HOW
    root = ET.fromstring(lifecycle.picture())  # noqa: S314 - our own picture
    drawn = {(each.get("data-from"), each.get("data-to")) for each in root.iter() if each.get("class") == "move"}

    assert drawn == {(str(source), str(target)) for source, targets in MOVES.items() for target in targets}
    assert {str(each) for each in ExecutionStatus} <= {each.get("id") for each in root.iter()}


def test_every_picture_is_shown_in_light_and_dark_and_there_is_no_other():
    shown = {
        Path(each).name for path in markdown_files() for each in links(path.read_text("utf-8")) if each.endswith(".png")
    }

    assert shown == {each.name for each in DOCS.glob("img/*.png")}
    assert {name for name in shown if name.endswith("-dark.png")} == {
        name.replace("-light.png", "-dark.png") for name in shown
    }
