"""The command line of `script/demo`."""

from __future__ import annotations

import argparse
import fcntl
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from project.demo.check import check
from project.demo.site import ADMIN, FAILURES, ROOT, DemoFailed, Site, choose_port, running
from project.processes import ProcessFailed


def main() -> int:
    """Run the demo, or its check, and return the exit code."""
    options = _options()
    # A shell that starts us in the background has SIGINT ignored.
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    try:
        return check() if options.check else _show(options.host, options.port)
    except FAILURES as error:
        last = error.child.output()[-2000:] if isinstance(error, ProcessFailed) else ""
        print(last, f"The demo stopped: {error}", sep="\n", file=sys.stderr)  # noqa: T201  # a command's output
        return 1
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)  # noqa: T201
        # A person who stops the demo got what they wanted; a check that was stopped has seen nothing.
        return 130 if options.check else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="script/demo", description="Show the app at work.")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to serve on (default: %(default)s; for others, name this machine in DJANGO_ALLOWED_HOSTS)",
    )
    parser.add_argument("--port", type=int, help="port to serve on (default: 8000, or else a free one)")
    parser.add_argument(
        "--check",
        action="store_true",
        help="start everything on scratch data, see a scheduled job succeed, print a summary, stop",
    )
    return parser.parse_args()


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _show(host: str, port: int | None) -> NoReturn:
    var = ROOT / "var"
    with _alone(var), running(var, host=host, port=choose_port(host, port)) as site:
        print(_welcome(site, var), flush=True)  # noqa: T201
        while True:
            site.check()
            time.sleep(0.5)


@contextmanager
def _alone(var: Path) -> Iterator[None]:
    var.mkdir(parents=True, exist_ok=True)
    with (var / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoFailed("another one is running on the same data.") from None
        yield


def _welcome(site: Site, var: Path) -> str:
    known = f"the password of its first start (to change it: manage.py changepassword {ADMIN})"
    password = f"password {site.password} (shown only now)" if site.password else known
    lines = [
        f"Admin     {site.url}/admin/",
        f"          user {ADMIN}, {password}",
        f"API       {site.url}/cron/status",
        f"Commands  . {var / 'demo.env'} && {sys.executable} manage.py cronstatus",
        f"Logs      {var / 'log'}",
        "",
        f"Here old conversations are cleaned up on the schedule {os.environ['CRONJOBS_CLEANUP_SCHEDULE']!r}",
        "(elsewhere every five minutes), so the first execution appears in the admin within a minute.",
        "Ctrl-C stops everything; the data stays.",
    ]
    return "\n" + "".join(f"  {line}".rstrip() + "\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
