"""What the measuring programs share: the virtual environment, a scratch database, nodes, and how figures are printed."""

from __future__ import annotations

import json
import math
import os
import sys
import tempfile
import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from project.processes import Child

ROOT = Path(__file__).resolve().parent.parent
_VENV = ROOT / ".venv"

T = TypeVar("T")

if Path(sys.prefix) != _VENV:
    if not (_VENV / "bin/python").exists():
        sys.exit("There is no .venv: run script/bootstrap first.")
    os.execv(_VENV / "bin/python", [str(_VENV / "bin/python"), *sys.argv])  # noqa: S606 - the same program again

# What a person's shell may hold, and a measurement must neither touch nor depend on.
_NOT_OURS = ("DATABASE_URL", "MONGODB_URI", "CELERY_BROKER_URL", "DJANGO_", "CRONJOBS_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured number, what it should not exceed (or reach, if more is better), and what it is made of."""

    metric: str
    value: float
    unit: str = ""
    goal: float | None = None
    parts: Mapping[str, float] = field(default_factory=dict)
    is_more_better: bool = False

    @property
    def verdict(self) -> str:
        """Whether the goal is met; empty if there is none."""
        if self.goal is None:
            return ""
        is_met = self.value >= self.goal if self.is_more_better else self.value <= self.goal
        return "ok" if is_met else "missed"


def parse_arguments(
    description: str, add: Callable[[ArgumentParser], None] = lambda parser: None, **numbers: tuple[float, str]
) -> Namespace:
    """Return the command line's options: ``--database``, a number for each of `numbers` (default, help), and what `add` adds."""
    parser = ArgumentParser(description=description, formatter_class=RawDescriptionHelpFormatter)
    help_text = (
        "A server to measure on, such as postgres://me@127.0.0.1 or mysql://root@127.0.0.1. A scratch database is "
        "made on it and dropped afterwards; what it holds is not touched. Default: an SQLite file."
    )
    parser.add_argument("--database", type=_server, default=None, metavar="URL", help=help_text)
    for name, (default, meaning) in numbers.items():
        parser.add_argument(f"--{name}", type=_number, default=default, metavar="N", help=f"{meaning} ({default:g})")
    add(parser)
    return parser.parse_args()


@contextmanager
def scratch(
    server: str | None,
    *,
    log_level: str = "INFO",
    settings: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Iterator[Path]:
    """Set up Django on a new, migrated database, and remove it in the end; yield a directory for files.

    `settings` are keys of CRONJOBS, and `environ` further variables, for this process and the nodes.
    """
    with tempfile.TemporaryDirectory(prefix="cronjobs-bench-") as name:
        directory = Path(name)
        _set_environment(_scratch_url(server, directory), directory, log_level)
        os.environ |= {"BENCH_CRONJOBS": json.dumps(dict(settings or {})), **(environ or {})}
        import django

        django.setup()
        with _database_made():
            _prepare()
            yield directory


def make_jobs(count: int, *, schedule: str, definition: str = "bench-noop", **columns: Any) -> list[int]:
    """Make `count` jobs with that schedule, and return their primary keys."""
    from cronjobs.models import Job

    made = (Job(name=f"bench-{i:04}", definition=definition, schedule=schedule, **columns) for i in range(count))
    Job.objects.bulk_create(made, batch_size=1_000)
    return list(
        Job.objects.filter(name__startswith="bench-", schedule=schedule).order_by("pk").values_list("pk", flat=True)
    )


def forget_jobs() -> None:
    """Remove the jobs and all that the clock knows of them."""
    from cronjobs.models import Job
    from cronjobs.scheduler.clock_rows import own_rows

    Job.objects.filter(name__startswith="bench-").delete()
    own_rows().delete()


def make_due(at: datetime) -> datetime:
    """Let every job of ours be due at that time, cut to a second, and every hour from then; return it.

    The clock rows are left as an earlier node would have left them: nothing is to be planned.
    """
    from cronjobs.models import Job
    from cronjobs.scheduler.clock_rows import own_rows
    from cronjobs.scheduler.plans import reconcile

    due = at.replace(microsecond=0)
    Job.objects.filter(enabled=True).update(schedule=f"@every 1h from {due:%Y-%m-%dT%H:%M:%SZ}")
    reconcile(database_now())
    own_rows().filter(next_run_time__isnull=False).update(next_run_time=due)
    return due


def database_now() -> datetime:
    """Return the database's time."""
    from cronjobs.database import read_clock

    return read_clock("default")


def analyze(*tables: str) -> None:
    """Let the database look at what these hold, as it does by itself after a while."""
    from django.db import connection

    statements = {
        "sqlite": "ANALYZE {table}",
        "postgresql": "VACUUM ANALYZE {table}",
        "mysql": "ANALYZE TABLE {table}",
    }
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(statements[connection.vendor].format(table=connection.ops.quote_name(table)))
    forget_connections()


def forget_connections() -> None:
    """Close this process's connections; the next statement opens another."""
    from django.db import connections

    connections.close_all()


def start_node(log: Path, *arguments: str) -> Child:
    """Start `manage.py runcron` with its output in `log`; return the process."""
    return start_python("node", str(ROOT / "manage.py"), "runcron", *arguments, log=log)


def start_python(name: str, *arguments: str, log: Path) -> Child:
    """Start Python with `arguments` and its output in `log`; return the process."""
    from project.processes import start

    return start(name, [sys.executable, *arguments], log=log, env=environment())


def environment() -> dict[str, str]:
    """Return the environment of a process that works on the scratch database."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}


@contextmanager
def running_node(directory: Path, *arguments: str) -> Iterator[int]:
    """Run `manage.py runcron` with `arguments` meanwhile; yield its process id."""
    from project.processes import stop

    child = start_node(directory / "node.log", *arguments)
    try:
        yield child.process.pid
        child.check()
    except BaseException:
        sys.stderr.write(child.output()[-4_000:])
        raise
    finally:
        stop([child])


def wait_for(look: Callable[[], T | None], *, within: float = 60.0) -> T:
    """Return the first true thing that `look` finds; give up after `within` seconds."""
    deadline = time.monotonic() + within
    while not (found := look()):
        if time.monotonic() > deadline:
            sys.exit(f"Nothing was found within {within:g} s.")
        time.sleep(0.01)
    return found


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that at least `percent` of the values do not exceed."""
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


def milliseconds(span: timedelta) -> float:
    """Return a span as a number of milliseconds."""
    return round(span / timedelta(milliseconds=1), 2)


def describe_database() -> str:
    """Return the name and the version of the database that is used."""
    from django.db import connection

    connection.ensure_connection()
    return f"{connection.display_name} {'.'.join(str(part) for part in connection.get_database_version())}"


def report(bench: str, figures: Sequence[Figure]) -> None:
    """Print the figures: a JSON object a line on standard output, and a table for people on standard error."""
    database = describe_database()
    for each in figures:
        line = {"bench": bench, "database": database, **asdict(each), "verdict": each.verdict or None}
        sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
    sys.stderr.write(f"\n{bench} on {database}\n")
    for each in figures:
        bound = ">=" if each.is_more_better else "<="
        goal = "" if each.goal is None else f"goal {bound} {each.goal:g}  {each.verdict}"
        _write_row(each.metric, each.value, f"{each.unit:<5} {goal}")
        for name, value in each.parts.items():
            _write_row(f"  {name}", value)


def _write_row(name: str, value: float, rest: str = "") -> None:
    sys.stderr.write(f"  {name:<48} {value:>9.2f} {rest}".rstrip() + "\n")


def _server(text: str) -> str:
    if urlsplit(text).scheme not in ("postgres", "postgresql", "mysql", "sqlite"):
        raise ArgumentTypeError(f"{text!r} does not begin with postgres://, mysql:// or sqlite://.")
    return text


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0
    if not 1 <= number <= 10_000_000:
        raise ArgumentTypeError(f"{text!r} is not a number from 1 to 10000000.")
    return number


def _scratch_url(server: str | None, directory: Path) -> str:
    parts = urlsplit(server or "")
    if parts.scheme in ("", "sqlite"):
        return f"sqlite:///{directory}/bench.sqlite3"
    return parts._replace(path=f"/cronjobs_bench_{os.getpid()}").geturl()


def _set_environment(url: str, directory: Path, log_level: str) -> None:
    for name in [name for name in os.environ if name.startswith(_NOT_OURS)]:
        del os.environ[name]
    os.environ |= {
        "DATABASE_URL": url,
        "DJANGO_SETTINGS_MODULE": "bench.settings",
        "DJANGO_SECRET_KEY": "of no use to anybody",
        "DJANGO_HTTPS": "0",
        "DJANGO_ALLOWED_HOSTS": "127.0.0.1",
        "DJANGO_LOG_LEVEL": log_level,
        "DJANGO_VAR_DIR": str(directory),
    }


@contextmanager
def _database_made() -> Iterator[None]:
    from django.db import connection, connections

    if connection.vendor == "sqlite":
        yield
        return
    name = connection.ops.quote_name(connection.settings_dict["NAME"])
    force = " WITH (FORCE)" if connection.vendor == "postgresql" else ""
    _execute_beside(connection, f"CREATE DATABASE {name}")
    try:
        yield
    finally:
        connections.close_all()
        _execute_beside(connection, f"DROP DATABASE {name}{force}")


def _execute_beside(connection: Any, sql: str) -> None:
    with connection._nodb_cursor() as cursor:  # noqa: SLF001 - as Django's own test runner does it
        cursor.execute(sql)


def _prepare() -> None:
    from django.core.management import call_command

    from cronjobs.models import Job

    call_command("migrate", verbosity=0)
    # Not deleted: a node would make them again.
    Job.objects.update(enabled=False)
