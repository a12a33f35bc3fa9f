"""Suites of other projects: those of docs/testing.md, and those that know nothing of this app."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
import tomllib

import pytest

from tests.servers import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.sqlite_only]

TEXT = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
FILES = re.findall(r"```python\n# (\S+\.py)\n(.*?)```", TEXT, re.DOTALL)

SETTINGS = """
SECRET_KEY = "of a test"
USE_TZ = True
INSTALLED_APPS = [
    "django.contrib.contenttypes", "django.contrib.auth", "rest_framework", "django_apscheduler", "cronjobs", "shop",
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
CRONJOBS = {"NOTIFIERS": {"ops": {"CLASS": "webhook", "URL": "https://hooks.example.com/ops"}}}
"""


@pytest.fixture
def write(tmp_path):
    """Write files of a project in which this app is installed."""

    def write(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text), encoding="utf-8")

    # What a wheel would say of itself.
    points = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"]["pytest11"]
    lines = "".join(f"{name} = {value}\n" for name, value in points.items())
    write({
        "site/cronjobs-0.dist-info/METADATA": "Metadata-Version: 2.1\nName: cronjobs\nVersion: 0\n",
        "site/cronjobs-0.dist-info/entry_points.txt": f"[pytest11]\n{lines}",
    })  # fmt: skip
    return write


@pytest.fixture
def run(tmp_path):
    """Run Python in the project, and return how that ended."""
    ours = ("PYTEST", "DJANGO", "COV_", "COVERAGE", "TEST_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    environment["PYTHONPATH"] = os.pathsep.join(map(str, (tmp_path, tmp_path / "site", ROOT)))

    def run(*arguments):
        command = [sys.executable, "-W", "error", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - our own

    return run


@pytest.fixture
def pytest_in_it(run):
    return lambda *arguments: run("-m", "pytest", "-p", "no:cacheprovider", "-W", "error", "-q", *arguments)


@pytest.fixture
def shop(write):
    """The project of the document, with each example in the file that it names."""
    files = {"settings.py": SETTINGS, "shop/__init__.py": "", "tests/__init__.py": "", **dict(FILES)}
    write({**files, "pytest.ini": "[pytest]\nDJANGO_SETTINGS_MODULE = settings\n"})


def test_every_example_says_which_file_it_is():
    assert len({name for name, _ in FILES}) == len(FILES) == len(BLOCKS)


@pytest.mark.usefixtures("shop")
def test_the_examples_pass(pytest_in_it):
    done = pytest_in_it()

    number = sum(text.count("def test_") for _, text in FILES)
    assert number > 15
    assert f"{number} passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.usefixtures("shop")
def test_those_of_unittest_pass_with_django_alone(run):
    done = run("-m", "django", "test", "--settings", "settings", "tests.test_with_unittest")

    assert "Ran 4 tests" in done.stderr, done.stdout + done.stderr
    assert "\nOK\n" in done.stderr


@pytest.mark.usefixtures("shop")
def test_a_test_that_fails_shows_where_the_job_did(write, pytest_in_it):
    write({"test_failing.py": """
        def test_it(cronjobs_run, monkeypatch):
            monkeypatch.setattr("shop.jobs.send_mail", lambda *args: 1 / 0)
            cronjobs_run("send-digest")
        """})  # fmt: skip

    done = pytest_in_it("test_failing.py")

    assert "ZeroDivisionError: division by zero" in done.stdout
    assert re.findall(r"^(\S+\.py):\d+: ", done.stdout, re.MULTILINE) == [
        "test_failing.py", "shop/jobs.py", "test_failing.py",
    ]  # fmt: skip


NOTHING_OF_DJANGO = """
    import sys

    def test_nothing_was_asked_of_django():
        from django.conf import settings

        assert not settings.configured
        assert "cronjobs.testing.plugin" in sys.modules
        assert "cronjobs.models" not in sys.modules
    """


@pytest.mark.parametrize("options", [(), ("-p", "no:django")], ids=["with-pytest-django", "without"])
def test_a_suite_without_django_does_not_notice(write, pytest_in_it, options):
    write({"test_plain.py": NOTHING_OF_DJANGO})

    done = pytest_in_it(*options)

    assert "1 passed" in done.stdout, done.stdout + done.stderr
    assert "warning" not in done.stdout


def test_the_fixtures_are_listed_with_what_they_are_for(write, pytest_in_it):
    write({"test_plain.py": NOTHING_OF_DJANGO})

    shown = pytest_in_it("--fixtures").stdout

    named = re.findall(r"^\| `(cronjobs_\w+)`", TEXT, re.MULTILINE)
    assert sorted(re.findall(r"^(cronjobs_\w+) -- ", shown, re.MULTILINE)) == sorted(named)


def test_the_plugin_can_be_left_out(write, pytest_in_it):
    write({"test_plain.py": "def test_it(cronjobs_run): pass"})

    assert "fixture 'cronjobs_run' not found" in pytest_in_it("-p", "no:cronjobs").stdout
    assert "fixture 'db' not found" in pytest_in_it("-p", "no:django").stdout
