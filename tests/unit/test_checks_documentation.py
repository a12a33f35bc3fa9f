"""The list of system checks in the documentation is that of the code; each is tried, and says how to mend what it finds."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.integration.checks.table import CRONJOBS, DEFINITIONS, DEPLOYMENTS, ELSEWHERE, PROJECT
from tests.servers import ROOT

FILES = [*ROOT.glob("cronjobs/checks/*.py"), *ROOT.glob("cronjobs/executors/celery/*.py")]
DOCUMENT = (ROOT / "docs" / "checks.md").read_text(encoding="utf-8")
KNOWN = {each for path in FILES for each in re.findall(r'"(cronjobs\.[EWI]\d{3})"', path.read_text(encoding="utf-8"))}


def messages() -> Iterator[tuple[str, dict[str, ast.expr]]]:
    """Yield every message that the code makes: where, and by which keywords."""
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            given = {each.arg: each.value for each in getattr(node, "keywords", ()) if each.arg}
            if isinstance(node, ast.Call) and "id" in given:
                yield f"{path.name}:{node.lineno}", given


def test_every_check_is_documented_and_no_other():
    documented = re.findall(r"^\| `(cronjobs\.\w+)`", DOCUMENT, re.MULTILINE)

    assert documented == sorted(documented, key=lambda each: ("EWI".index(each[9]), each))
    assert set(documented) == KNOWN


def test_what_to_do_is_documented_for_each():
    rows = [line for line in DOCUMENT.splitlines() if line.startswith("| `cronjobs.")]

    assert all(re.fullmatch(r"\| `cronjobs\.\w+` \| \S.* \| \S.* \|", row) for row in rows)


def test_every_check_is_tried():
    tried = {row[0] for table in (CRONJOBS, PROJECT, DEFINITIONS, DEPLOYMENTS) for row in table}

    assert tried | ELSEWHERE.keys() == KNOWN


@pytest.mark.parametrize(("identity", "where"), ELSEWHERE.items())
def test_what_is_tried_elsewhere_is_tried_there(identity, where):
    assert identity in (ROOT / where).read_text(encoding="utf-8")


def test_no_message_leaves_people_alone_with_it():
    made = dict(messages())

    without = [where for where, given in made.items() if "hint" not in given]
    maybe = [where for where, given in made.items() if "hint" in given and _may_be_nothing(given["hint"])]
    assert (without, maybe) == ([], [])
    # Else it has looked at nothing.
    assert len(made) > 40


def _may_be_nothing(hint: ast.expr) -> bool:
    return any(isinstance(each, ast.Constant) and each.value in (None, "") for each in ast.walk(hint))
