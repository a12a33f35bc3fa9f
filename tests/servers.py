"""Real processes for tests: a MongoDB-wire server, and this project's own commands."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import psutil

from project.embedded_mongo import start_mongo
from project.processes import Child, start, stop

T = TypeVar("T")

ROOT = Path(__file__).resolve().parent.parent
_SCHEMES = {"sqlite3": "sqlite", "postgresql": "postgres", "mysql": "mysql"}


@contextmanager
def running_mongo(directory: Path) -> Iterator[str]:
    """Run a server with its data in `directory`; yield the URI of a database on it."""
    child, uri = start_mongo(directory / "data", log=directory / "mongodb.log")
    try:
        yield uri
    finally:
        stop([child])


@contextmanager
def running_command(*arguments: str, log: Path, **environment: str) -> Iterator[Child]:
    """Run `manage.py` with `arguments` as a process on the test database, and stop it at the end."""
    child = start_command(*arguments, log=log, **environment)
    try:
        yield child
    finally:
        stop([child])


def start_command(*arguments: str, log: Path, **environment: str) -> Child:
    """Start `manage.py` with `arguments` as a process on the test database."""
    command = [sys.executable, str(ROOT / "manage.py"), *arguments]
    return start(arguments[0], command, log=log, env=command_environment(**environment))


def command_environment(**environment: str) -> dict[str, str]:
    """Return the environment in which another process finds the test settings and the test database."""
    from django.db import connection

    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE_URL": database_url(connection.settings_dict),
        "PYTHONPATH": str(ROOT),
        **environment,
    }


def database_url(settings: Mapping[str, Any]) -> str:
    """Return the URL of the database that `settings`, an entry of DATABASES, describe."""
    scheme = _SCHEMES[settings["ENGINE"].rpartition(".")[2]]
    if scheme == "sqlite":
        return f"sqlite:///{settings['NAME']}"
    user, password, host, port = (quote(str(settings[key]), safe="") for key in ("USER", "PASSWORD", "HOST", "PORT"))
    login = f"{user}:{password}@" if password else f"{user}@" if user else ""
    return f"{scheme}://{login}{host}{port and ':' + port}/{quote(settings['NAME'])}"


def wait_for(look: Callable[[], T | None], *, within: float = 90.0) -> T:
    """Return the first true thing that `look` finds; fail after `within` seconds.

    So many that no test fails because the machine is busy: what comes at all, comes in time.
    """
    deadline = time.monotonic() + within
    while not (found := look()):
        assert time.monotonic() < deadline, f"Nothing was found within {within:g} s."
        time.sleep(0.02)
    return found


def is_gone(pid: int) -> bool:
    """Return whether the process has ended, though somebody may still have to be told."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
