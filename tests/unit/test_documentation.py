"""What the documents say is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cronjobs.registry import Registry
from tests.documentation import README, with_settings_table

TEXT = README.read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def test_the_settings_table_is_up_to_date():
    assert with_settings_table(TEXT) == TEXT, "Run: .venv/bin/python -m tests.documentation"


@pytest.mark.parametrize("name", sorted(set(re.findall(r"]\(((?!http)[^)#]+)", TEXT))))
def test_what_the_readme_points_to_exists(name):
    assert (README.parent / name).exists()


def test_the_example_jobs_in_the_readme_are_some(monkeypatch):
    fresh = Registry()
    monkeypatch.setattr("cronjobs.registry._declaring.registry", fresh)
    names: dict[str, object] = {}
    for example in BLOCKS:
        if "@job(" in example:
            exec(compile(example, "README.md", "exec"), names)  # noqa: S102 - our own example

    assert fresh.problems == []
    assert fresh["send-digest"].schedule.describe()
    assert fresh["send-digest"].clean({"days": 2}) == {"days": 2}
    assert fresh["report"].depends_on == {"load": "success", "check": "always"}


def test_every_picture_is_shown_in_light_and_dark_and_there_is_no_other():
    documents = [README, *(README.parent / "docs").rglob("*.md")]
    shown = {Path(name).name for each in documents for name in re.findall(r"[\w/-]+\.png", each.read_text("utf-8"))}

    assert shown == {each.name for each in (README.parent / "docs/img").glob("*.png")}
    assert {name for name in shown if name.endswith("-dark.png")} == {
        name.replace("-light.png", "-dark.png") for name in shown
    }
