"""What the demo consists of: a MongoDB server, the web server and one node, on one data directory."""

from __future__ import annotations

import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import django
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import DatabaseError

from project.embedded_mongo import MongoMissing, start_mongo
from project.processes import Child, ProcessFailed, start, stop, wait_until

ROOT = Path(__file__).resolve().parents[2]
MANAGE = [sys.executable, str(ROOT / "manage.py")]
ADMIN = "admin"
_DEFAULT_PORT = 8000
_EVERYWHERE = "0.0.0.0"  # noqa: S104  # compared with, not bound to
# What a person needs to run manage.py beside the demo.
_SHARED = ("DJANGO_SETTINGS_MODULE", "DJANGO_VAR_DIR", "DATABASE_URL", "MONGODB_URI")


class DemoFailed(RuntimeError):
    """The demo cannot start, or does not show what it should."""


# What a person can do something about; everything else is a bug and keeps its traceback.
FAILURES = (DemoFailed, ProcessFailed, MongoMissing, CommandError, DatabaseError, ImproperlyConfigured)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The running demo."""

    url: str
    password: str | None  # None: the user is from an earlier start
    children: tuple[Child, ...]

    def check(self) -> None:
        """Raise `ProcessFailed` if one of the processes has ended."""
        for child in self.children:
            child.check()


@contextmanager
def running(var: Path, *, host: str, port: int) -> Iterator[Site]:
    """Start everything on the data in `var`, and stop everything at the end, MongoDB last."""
    logs = var / "log"
    with ExitStack() as stack:
        databases: list[Child] = []
        servers: list[Child] = []
        stack.callback(stop, databases)
        stack.callback(stop, servers)
        stack.callback(_ignore_signals)

        embedded = not os.environ.get("MONGODB_URI")
        if embedded:
            _say("Starting MongoDB")
            mongo, os.environ["MONGODB_URI"] = start_mongo(var / "mongodb", log=logs / "mongodb.log")
            databases.append(mongo)
        _configure(var, host)
        password = _prepare(with_samples=embedded)
        _say("Starting the web server and a node")
        web = start("the web server", [*MANAGE, "runserver", "--noreload", f"{host}:{port}"], log=logs / "web.log")
        servers.append(web)
        servers.append(start("runcron", [*MANAGE, "runcron"], log=logs / "runcron.log"))
        url = f"http://{'127.0.0.1' if host == _EVERYWHERE else host}:{port}"
        wait_until(lambda: _answers(url), child=web, within=30)
        yield Site(url=url, password=password, children=(*servers, *databases))


def choose_port(host: str, wanted: int | None) -> int:
    """Return `wanted` if it is free; without a wish the usual port, or else any free one."""
    for port in (_DEFAULT_PORT, 0) if wanted is None else (wanted,):
        if (free := _free(host, port)) is not None:
            return free
    raise DemoFailed(f"port {wanted} on {host} cannot be used; choose another with --port.")


def _free(host: str, port: int) -> int | None:
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return None
        return int(probe.getsockname()[1])


def _configure(var: Path, host: str) -> None:
    """Set what the project's settings read; what the person has set stays."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
    os.environ["DJANGO_VAR_DIR"] = str(var)
    defaults = {
        "DJANGO_SECRET_KEY": _secret_key(var / "secret-key"),
        "DJANGO_HTTPS": "0",
        "DJANGO_ALLOWED_HOSTS": f"localhost,127.0.0.1,{host}",
        "CRONJOBS_CLEANUP_SCHEDULE": "* * * * *",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
    names = [name for name in (*_SHARED, *defaults) if name in os.environ]
    shared = [f"export {name}={shlex.quote(os.environ[name])}\n" for name in names]
    _write_private(var / "demo.env", "".join(shared))


def _secret_key(path: Path) -> str:
    if not path.exists():
        _write_private(path, secrets.token_urlsafe(50))
    return path.read_text()


def _write_private(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(text)


def _prepare(*, with_samples: bool) -> str | None:
    """Bring the databases up to date; return the new administrator's password, if there is a new one."""
    django.setup()
    from django.db import connections

    _say("Migrating the database")
    call_command("migrate", interactive=False, verbosity=0)
    # The sample data is never loaded into a MongoDB that somebody brought along.
    samples = sorted(map(str, (ROOT / "sample").glob("*.jsonl*"))) if with_samples else []
    if samples:
        _say("Loading the sample data")
        _load(samples)
    password = _create_admin()
    connections.close_all()
    return password


def _load(samples: list[str]) -> None:
    # In a process of its own: a MongoDB client here would look for the server long after we have stopped it.
    loading = subprocess.run(  # noqa: S603  # our own command
        [*MANAGE, "load_conversations", "--shift-to-now", *samples], stdout=sys.stderr, check=False
    )
    if loading.returncode:
        raise DemoFailed("the sample data could not be loaded.")


def _create_admin() -> str | None:
    from django.contrib.auth import get_user_model

    users = get_user_model()._default_manager  # noqa: SLF001  # Django's public way to it
    if users.filter(username=ADMIN).exists():
        return None
    password = secrets.token_urlsafe(12)
    call_command("createsuperuser", interactive=False, username=ADMIN, email="admin@localhost.localdomain", verbosity=0)
    user = users.get(username=ADMIN)
    user.set_password(password)
    user.save()
    return password


def _answers(url: str) -> bool | None:
    try:
        with urllib.request.urlopen(f"{url}/admin/login/", timeout=5):  # noqa: S310  # our own server
            return True
    except urllib.error.HTTPError as error:
        raise DemoFailed(f"the admin's login page answered {error.code}.") from error
    except OSError:
        return None


def _ignore_signals() -> None:
    # A second Ctrl-C while everything is being stopped must not leave half of it running.
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)


def _say(what: str) -> None:
    print(f"{what} …", file=sys.stderr, flush=True)  # noqa: T201  # a command's output
