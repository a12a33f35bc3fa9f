"""The programs under `bench/` that judge promises, run as tests."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from django.db import connection

from tests.private_servers import NO_SERVER
from tests.servers import ROOT, database_url

_PRIVATE = {"postgresql": "postgres", "mysql": "mariadb"}


def verdict_of(name: str, *arguments: str) -> dict[str, Any]:
    """Run `bench/NAME` and return what it says at last; skip the test where there is nothing to run it on."""
    command = [sys.executable, str(ROOT / "bench" / name), "--json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)  # noqa: S603 - our own
    if done.returncode == NO_SERVER:
        pytest.skip(done.stderr.strip().splitlines()[-1])
    assert done.stdout, done.stderr
    verdict = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == bool(verdict["broken"])
    return dict(verdict)


def this_server() -> list[str]:
    """Return the option that makes a program use the server that the tests use."""
    return [] if connection.vendor == "sqlite" else ["--database", database_url(connection.settings_dict)]


def own_server() -> list[str]:
    """Return the option that makes a program start a server of the kind that the tests use; skip the test on SQLite."""
    if connection.vendor not in _PRIVATE:
        pytest.skip("SQLite has no server that could go away")
    return ["--private-server", _PRIVATE[connection.vendor]]
