"""Database servers of our own, on free ports of the loopback: they can be stopped, killed and started again.

Whoever tests an outage must not take a server away from others.
"""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar

import psutil

from project.processes import Child, ProcessFailed, start

# What a program exits with that cannot have the server it needs.
NO_SERVER = 3
_PAUSE = 0.05


class ServerMissing(RuntimeError):
    """The programs of that server are not on this machine."""

    def __init__(self, name: str, program: str) -> None:
        super().__init__(f"There is no private {name} server to be had: {program} is not installed.")


class PrivateServer(ABC):
    """A server that nobody else uses, with its data in a directory of its own."""

    name: ClassVar[str]
    # Ends the server although clients are connected, as a packaged one is stopped.
    politely: ClassVar[signal.Signals]

    def __init__(self, directory: Path) -> None:
        self.directory, self.port = directory, free_port()
        self._child: Child | None = None

    @property
    @abstractmethod
    def url(self) -> str:
        """The server as DATABASE_URL names it, with a database that is always there."""

    def start(self, *, within: float = 60.0) -> None:
        """Start the server, and return when it answers."""
        child = start(self.name, self._command(), log=self.directory / "server.log")
        self._child = child
        deadline = time.monotonic() + within
        while True:
            child.check()
            try:
                self._connect().close()
            except Exception:  # noqa: BLE001 - whatever the driver says: it does not answer yet
                if time.monotonic() > deadline:
                    raise ProcessFailed(child, f"did not answer within {within:g} s") from None
                time.sleep(_PAUSE)
            else:
                return

    def stop(self, *, crash: bool = False, within: float = 30.0) -> None:
        """Stop the server, connected clients or not; with `crash`, as a machine that loses power would."""
        if self._child is None:
            return
        process, self._child = self._child.process, None
        process.send_signal(signal.SIGKILL if crash else self.politely)
        try:
            process.wait(within)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def freeze(self) -> None:
        """Let the server stand still: its clients wait for answers, and nobody tells them."""
        for process in self._processes():
            # A connection may be closed in this very moment.
            with suppress(psutil.NoSuchProcess):
                process.suspend()

    def thaw(self) -> None:
        """Let a frozen server go on."""
        for process in self._processes():
            with suppress(psutil.NoSuchProcess):
                process.resume()

    def _processes(self) -> list[psutil.Process]:
        if self._child is None:
            return []
        try:
            leader = psutil.Process(self._child.process.pid)
            return [leader, *leader.children(recursive=True)]
        except psutil.NoSuchProcess:
            # It has ended by itself.
            return []

    @abstractmethod
    def create(self) -> None:
        """Make the data directory; raise `ServerMissing` where that is not possible."""

    @abstractmethod
    def _command(self) -> Sequence[str]: ...

    @abstractmethod
    def _connect(self) -> Any: ...


class PrivatePostgres(PrivateServer):
    """PostgreSQL, which refuses to run as root: then it runs as the user of the packaged server."""

    name = "PostgreSQL"
    politely = signal.SIGINT

    @property
    def url(self) -> str:
        return f"postgres://bench@127.0.0.1:{self.port}/postgres"

    def create(self) -> None:
        data = self.directory / "data"
        data.mkdir()
        if os.geteuid() == 0:
            shutil.chown(self.directory, "postgres")
            shutil.chown(data, "postgres")
        options = ["--pgdata", str(data), "--username", "bench", "--auth", "trust", "--encoding", "UTF8", "--no-sync"]
        _run([*_as_nobody_special(), _postgres_program("initdb"), *options])

    def _command(self) -> Sequence[str]:
        options = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": "", "fsync": "off"}
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        return [*_as_nobody_special(), _postgres_program("postgres"), "-D", str(self.directory / "data"), *settings]

    def stop(self, *, crash: bool = False, within: float = 30.0) -> None:
        children = [] if self._child is None else psutil.Process(self._child.process.pid).children(recursive=True)
        super().stop(crash=crash, within=within)
        # They notice the death of their parent, but not at once; until then they hold shared memory.
        _, alive = psutil.wait_procs(children, timeout=within)
        assert not alive, f"{len(alive)} processes of the server outlive it."

    def _connect(self) -> Any:
        import psycopg

        return psycopg.connect(self.url, connect_timeout=3)


class PrivateMariaDB(PrivateServer):
    """MariaDB."""

    name = "MariaDB"
    politely = signal.SIGTERM

    @property
    def url(self) -> str:
        return f"mysql://root@127.0.0.1:{self.port}/mysql"

    def create(self) -> None:
        _mariadb_program("mariadbd")
        install = _mariadb_program("mariadb-install-db")
        options = ["--auth-root-authentication-method=normal", "--skip-test-db", f"--user={getpass.getuser()}"]
        _run([install, "--no-defaults", f"--datadir={self.directory / 'data'}", *options])

    def _command(self) -> Sequence[str]:
        return [
            _mariadb_program("mariadbd"),
            "--no-defaults",
            f"--user={getpass.getuser()}",
            f"--datadir={self.directory / 'data'}",
            f"--socket={self.directory / 'socket'}",
            f"--pid-file={self.directory / 'pid'}",
            "--bind-address=127.0.0.1",
            f"--port={self.port}",
            "--skip-name-resolve",
            # Hours off, so that whoever asks for NOW() instead of UTC_TIMESTAMP() is found out.
            "--default-time-zone=+05:30",
        ]

    def _connect(self) -> Any:
        import MySQLdb

        # MySQLdb's stubs are incomplete.
        return MySQLdb.connect(host="127.0.0.1", port=self.port, user="root", connect_timeout=3)


SERVERS: dict[str, type[PrivateServer]] = {"postgres": PrivatePostgres, "mariadb": PrivateMariaDB}


def private_server(kind: str) -> AbstractContextManager[PrivateServer]:
    """Run a server of that kind (``postgres``, ``mariadb``) meanwhile; raise `ServerMissing` where there is none."""
    return running(SERVERS[kind])


@contextmanager
def running(kind: type[PrivateServer]) -> Iterator[PrivateServer]:
    """Run a server meanwhile; raise `ServerMissing` where there is none."""
    # Not in pytest's directory: the path of a socket must be short, and PostgreSQL's user must get there.
    with tempfile.TemporaryDirectory(prefix="cronjobs-server-", ignore_cleanup_errors=True) as name:
        server = kind(Path(name))
        server.create()
        try:
            server.start()
            yield server
        finally:
            server.thaw()
            server.stop()


def program(name: str, server: str, *, path: str | None = None) -> str:
    """Return where a program of `server` is, in the search path unless `path` is another; raise `ServerMissing`."""
    found = shutil.which(name, path=path)
    if found is None:
        raise ServerMissing(server, name)
    return found


def _postgres_program(name: str) -> str:
    # Debian keeps the server's programs out of the search path.
    packaged = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(packaged[-1]) if packaged else program(name, "PostgreSQL")


def _mariadb_program(name: str) -> str:
    return program(name, "MariaDB", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")


def _as_nobody_special() -> list[str]:
    if os.geteuid() != 0:
        return []
    # Changing the user makes Linux forget that the server is to end with us.
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--pdeathsig=INT"]


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")  # noqa: S603 - as found above
    if done.returncode:
        raise RuntimeError(f"{Path(command[0]).name} failed: {(done.stderr or done.stdout).strip()[-2_000:]}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
