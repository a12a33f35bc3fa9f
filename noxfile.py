"""Every Python with every Django that it runs, and the checks that take long. What is said after `--` goes to pytest.

nox --list
nox --session "tests(3.13-6.1)" -- --database postgres tests/unit
nox --tags others --parallel 2
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import nox

# As Django supports them.
PAIRS: Final = (
    ("3.11", "5.2"),
    ("3.12", "5.2"),
    ("3.13", "5.2"),
    ("3.12", "6.0"),
    ("3.13", "6.0"),
    ("3.12", "6.1"),
    ("3.13", "6.1"),
)
# In .venv, where script/test runs everything: the oldest of each, and what constraints.txt pins.
DEFAULT: Final = PAIRS[0]
DATABASES: Final = ("sqlite", "postgres", "mariadb")
# What another Python or another Django could break, within two minutes: values, models, forms, pages, addresses, commands, nodes.
SELECTION: Final = (
    "tests/unit",
    "tests/integration/admin/test_page_table.py",
    "tests/integration/admin/test_job_form.py",
    "tests/integration/admin/test_job_actions.py",
    "tests/integration/admin/test_executions.py",
    "tests/integration/api/test_authorisation.py",
    "tests/integration/api/test_execute.py",
    "tests/integration/api/test_jobs.py",
    "tests/integration/api/test_status.py",
    "tests/integration/commands/test_cronstatus.py",
    "tests/integration/commands/test_runjob.py",
    "tests/integration/test_claims.py",
    "tests/integration/test_inline.py",
    "tests/integration/test_node.py",
    "tests/integration/test_ticks.py",
)
PYPROJECT: Final = nox.project.load_toml("pyproject.toml")
BIN: Final = Path(sys.executable).parent

nox.options.envdir = os.environ.get("NOX_ENVDIR") or ".nox"
nox.options.default_venv_backend = "venv"
nox.options.download_python = "never"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "pair"]
# One that is missing is named, and skipped; where everything is to be checked, it is a failure.
nox.options.error_on_missing_interpreters = os.environ.get("CI") == "true"


def show_pyenv_versions() -> None:
    """Let every Python that pyenv has installed be found, and not only those that it was told to use."""
    pyenv = shutil.which("pyenv")
    if pyenv is None or "PYENV_VERSION" in os.environ:
        return
    listed = subprocess.run([pyenv, "versions", "--bare"], capture_output=True, text=True, check=False)  # noqa: S603 - our own
    # Empty, it would be a version that there is not.
    if versions := re.findall(r"^3\.1[1-9]\.\d+$", listed.stdout, re.MULTILINE):
        os.environ["PYENV_VERSION"] = ":".join(versions)


def pairs(*, tagged: bool = False) -> Any:
    """Return what runs a session once for each pair; `tagged` marks those that .venv does not have as `others`."""
    return nox.parametrize(
        "python,django",
        [nox.param(*pair, id="-".join(pair), tags=["others"] if tagged and pair != DEFAULT else []) for pair in PAIRS],
    )


@nox.session(allow_parallel=True)
@pairs(tagged=True)
def pair(session: nox.Session, django: str) -> None:
    """Test what a Python or a Django may break, on SQLite; the wheel in an empty project as well."""
    constraints = install(session, django, "-r", "requirements.txt", *nox.project.dependency_groups(PYPROJECT, "pair"))
    manage = {"DJANGO_SETTINGS_MODULE": "tests.settings", "DATABASE_URL": "sqlite://:memory:"}
    session.run("python", "-W", "error::DeprecationWarning", "manage.py", "check", env=manage)
    session.run("python", "manage.py", "makemigrations", "--check", "--dry-run", env=manage)
    # What an extra brings, and what the sdist holds, is seen with the default pair.
    left_out = [f"--deselect=tests/acceptance/test_wheel.py::test_the_{name}" for name in ("extra", "sdist", "tests")]
    # Pure arithmetic that takes long: no Django has a part in it.
    left_out += [f"--ignore=tests/unit/test_schedules_{name}.py" for name in ("clock_changes", "properties")]
    arguments = session.posargs or [*SELECTION, "tests/acceptance/test_wheel.py", *left_out]
    run_pytest(session, *arguments, DATABASE_URL="", TEST_CONSTRAINTS=constraints)


@nox.session
@pairs()
def tests(session: nox.Session, django: str) -> None:
    """Run the whole suite; `-- --database postgres` or `mariadb`, if not on SQLite."""
    database, arguments = choose_database(session)
    requirements = ["-r", "requirements-dev.txt"]
    if database == "mariadb":
        requirements += re.findall(r"^# optional: (.*)$", Path("requirements-dev.txt").read_text("utf-8"), re.MULTILINE)
    constraints = install(session, django, *requirements)
    url = "" if database == "sqlite" else find_server(session, database)
    if url:
        arguments = ["-m", "not sqlite_only", *(arguments or ["tests/integration", "tests/acceptance"])]
    run_pytest(
        session,
        "--numprocesses",
        "auto",
        "--dist",
        "worksteal",
        *arguments,
        DATABASE_URL=url,
        TEST_CONSTRAINTS=constraints,
    )


@nox.session
@pairs()
def wheel(session: nox.Session, django: str) -> None:
    """Test the wheel in an empty project, and with each of its extras."""
    constraints = install(session, django, "-r", "requirements.txt", *nox.project.dependency_groups(PYPROJECT, "pair"))
    run_pytest(
        session, "tests/acceptance/test_wheel.py", *session.posargs, DATABASE_URL="", TEST_CONSTRAINTS=constraints
    )


@nox.session(python=False)
def lint(session: nox.Session) -> None:
    """Check style, layers and types."""
    here(session, "ruff", "check")
    here(session, "ruff", "format", "--check")
    here(session, "lint-imports", "--no-logo")
    here(session, "mypy")


@nox.session(python=False)
def docs(session: nox.Session) -> None:
    """Build the documentation as a site; whatever leads nowhere is a failure."""
    here(session, "mkdocs", "build", "--strict")


@nox.session(python=False)
def coverage(session: nox.Session) -> None:
    """Measure which lines and branches the tests reach, on SQLite: at least what pyproject.toml demands."""
    here(session, "coverage", "erase")
    arguments = session.posargs or ["--numprocesses", "auto", "--dist", "worksteal"]
    # The demand is for the report that follows: it is made from what every process has seen.
    here(session, "pytest", "--timeout", "600", "--cov", "--cov-report=", "--cov-fail-under=0", *arguments)
    here(session, "coverage", "html", "--fail-under=0")
    here(session, "coverage", "report")


@nox.session(python=False)
def mutation(session: nox.Session) -> None:
    """Look for changes of the code that decides which no test notices: docs/mutation.md."""
    here(session, "mutmut", "run", *session.posargs)
    here(session, "mutmut", "results")


def install(session: nox.Session, django: str, *requirements: str) -> str:
    """Install `requirements` in the locked releases, but with that Django; return the file that says which."""
    pins = Path("constraints.txt").read_text("utf-8")
    constraints = Path(session.virtualenv.location).resolve() / "constraints.txt"
    constraints.write_text(re.sub(r"^Django==.*$", f"Django=={django}.*", pins, flags=re.MULTILINE), "utf-8")
    session.install("--quiet", "--disable-pip-version-check", "--constraint", str(constraints), *requirements)
    session.run("python", "-c", "import django, sys; print('Django', django.__version__, 'on Python', sys.version)")
    return str(constraints)


def run_pytest(session: nox.Session, *arguments: str, **environment: str) -> None:
    """Run pytest in the session's environment."""
    session.run("python", "-m", "pytest", "--quiet", "--timeout", "300", *arguments, env=environment)


def here(session: nox.Session, program: str, *arguments: str) -> None:
    """Run a program of the environment that nox itself is in."""
    session.run(str(BIN / program), *arguments, external=True)


def choose_database(session: nox.Session) -> tuple[str, list[str]]:
    """Return the database that was asked for, and the other arguments; end the session if there is no such database."""
    arguments = list(session.posargs)
    if "--database" not in arguments:
        return DATABASES[0], arguments
    place = arguments.index("--database")
    database = "".join(arguments[place + 1 : place + 2])
    if database not in DATABASES:
        session.error(f"--database takes one of {', '.join(DATABASES)}.")
    return database, arguments[:place] + arguments[place + 2 :]


def find_server(session: nox.Session, database: str) -> str:
    """Return the URL of a server; end the session if there is none."""
    listed = str(session.run("python", "-m", "tests.services", silent=True))
    servers = {name: (url, found) for _, name, url, found in (line.split("\t") for line in listed.splitlines())}
    url, found = servers[database]
    if url == "-":
        session.error(f"There is no {database} to be used: {found}")
    return url


show_pyenv_versions()
