"""A MongoDB-wire server on this machine, for whoever has none: the demo and the tests.

SecantusDB is under the GPL: it runs as a program of its own, and nothing here imports it.
"""

from __future__ import annotations

import re
import sys
from importlib.util import find_spec
from pathlib import Path

from project.processes import Child, start, wait_until

_LISTENING = re.compile(r"listening on \S+:(\d+)")


class MongoMissing(RuntimeError):
    """There is no server that could be started."""

    def __init__(self) -> None:
        super().__init__("SecantusDB is not installed: run script/bootstrap, or set MONGODB_URI.")


def start_mongo(data: Path, *, log: Path, port: int = 0, within: float = 30.0) -> tuple[Child, str]:
    """Start a server on a loopback port (0: a free one); return the process and the URI of a database on it."""
    if find_spec("secantus") is None:
        raise MongoMissing
    data.mkdir(parents=True, exist_ok=True)
    # Without a configuration file of ours the server would read one from the user's home directory.
    config = data / "secantusd.toml"
    config.touch()
    command = [sys.executable, "-m", "secantus", "--config", str(config), "--storage-path", str(data)]
    # With 0 the server picks its port, so nobody can take it between our choosing and its binding.
    command += ["--host", "127.0.0.1", "--port", str(port), "--cache-size", "256M"]
    child = start("MongoDB", command, log=log)

    def bound() -> str | None:
        found = _LISTENING.search(child.output())
        return found and found.group(1)

    return child, f"mongodb://127.0.0.1:{wait_until(bound, child=child, within=within)}/cronjobs"
