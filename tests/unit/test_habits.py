"""What the project says of itself in files that tools read: hooks, forms, pairs of Python and Django, dependencies."""

from __future__ import annotations

import ast
import re
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.servers import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
HOOKS = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))["repos"]
FORMS = sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("[!c]*.yml"))
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
# Lines of requirements files, without what they say of the place; those for MariaDB's driver are comments.
REQUIREMENTS = [
    line
    for name in ("requirements.txt", "requirements-dev.txt")
    for line in (ROOT / name).read_text("utf-8").splitlines()
    if line and not line.startswith(("#", "-r"))
]


def pairs():
    """Return what the noxfile runs, without nox."""
    tree = ast.parse((ROOT / "noxfile.py").read_text("utf-8"))
    (value,) = (
        node.value
        for node in tree.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == "PAIRS"
    )
    return ast.literal_eval(value)


def classified(prefix):
    """Return the versions that the classifiers name."""
    found = [re.fullmatch(rf"{prefix} :: (\d+\.\d+)", each) for each in PROJECT["project"]["classifiers"]]
    return {each[1] for each in found if each}


def test_the_pairs_are_what_the_classifiers_say():
    assert {python for python, _ in pairs()} == classified("Programming Language :: Python")
    assert {django for _, django in pairs()} == classified("Framework :: Django")
    assert len(set(pairs())) == 7


def test_the_first_pair_is_the_one_that_is_locked():
    python, django = pairs()[0]

    assert PROJECT["project"]["requires-python"] == f">={python}"
    assert re.search(
        rf"^Django=={re.escape(django)}\.\d+$", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE
    )


def test_what_is_required_is_locked():
    locked = {
        canonicalize_name(line.partition("==")[0])
        for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines()
        if "==" in line
    }
    extras = [each for extra in PROJECT["project"]["optional-dependencies"].values() for each in extra]
    wanted = [*REQUIREMENTS, *PROJECT["project"]["dependencies"], *extras]

    assert {canonicalize_name(Requirement(each).name) for each in wanted} - locked == set()


def test_hooks_fetch_nothing_and_do_what_the_tests_do():
    script = (ROOT / "script/test").read_text("utf-8")
    programs = {
        word for each in HOOKS for hook in each["hooks"] for word in re.findall(r"\.venv/bin/(\S+)", hook["entry"])
    }

    assert {each["repo"] for each in HOOKS} == {"local"}
    assert {hook["language"] for each in HOOKS for hook in each["hooks"]} == {"system"}
    assert all(f'"$bin/{program}"' in script for program in programs)


@pytest.mark.parametrize("form", [pytest.param(each, id=each.stem) for each in FORMS])
def test_a_form_for_issues_can_be_filled_in(form):
    document = yaml.safe_load(form.read_text("utf-8"))
    asked = [each for each in document["body"] if each["type"] != "markdown"]

    assert document["name"]
    assert document["description"]
    assert len({each["id"] for each in asked}) == len(asked)
    assert all(each["type"] in {"input", "textarea", "dropdown", "checkboxes"} for each in asked)
    assert all(each["attributes"]["label"] for each in asked)
    assert all(each["attributes"]["options"] for each in asked if each["type"] == "dropdown")


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(script/\w+|tests/[\w/]+(?:\.py)?)", CONTRIBUTING))))
def test_what_contributing_speaks_of_exists(name):
    assert (ROOT / name).exists()
