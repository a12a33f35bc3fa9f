"""The parts of the documentation that follow from the code; run as a module, it writes them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import django

README = Path(__file__).resolve().parent.parent / "README.md"
DOCS = README.parent / "docs"
API = DOCS / "api.md"
SECURITY = DOCS / "security-log.md"
LIFECYCLE = DOCS / "img" / "lifecycle.svg"


def errors_table() -> str:
    """Return every code of an error with its status and its meaning, as a Markdown table."""
    from cronjobs.api.errors import ErrorCode

    rows = [f"| {each.status} | `{each}` | {each.meaning} |" for each in ErrorCode]
    return "\n".join(["| status | code | |", "|---|---|---|", *rows, ""])


def events_table() -> str:
    """Return every event of the security log with what it means and what its details are, as a Markdown table."""
    from cronjobs.security import Event

    rows = [f"| `{each}` | {each.meaning} | {each.details} |" for each in Event]
    return "\n".join(["| event | | details |", "|---|---|---|", *rows, ""])


def settings_table() -> str:
    """Return every key of CRONJOBS with its default and its meaning, as a Markdown table."""
    from cronjobs.conf import Settings

    rows = [f"| `{key}` | {default} | {meaning} |" for key, default, meaning in _rows(Settings)]
    return "\n".join(["| key | default | meaning |", "|---|---|---|", *rows, ""])


def _rows(parsed: type, prefix: str = "") -> Iterator[tuple[str, str, str]]:
    for each in fields(parsed):
        default = _default_of(each)
        if is_dataclass(default):
            yield from _rows(type(default), f"{each.name.upper()}.")
        else:
            yield f"{prefix}{each.name.upper()}", _shown(default), each.metadata["meaning"]


def _default_of(each: Field[Any]) -> Any:
    return each.default if each.default_factory is MISSING else each.default_factory()


def _shown(value: object) -> str:
    if isinstance(value, timedelta):
        return f"{value.days} days" if value >= timedelta(days=1) else f"{value.total_seconds():g} s"
    if isinstance(value, Mapping):
        return "<br>".join(f"`{name}`: `{schedule}`" for name, schedule in value.items()) or "none"
    if isinstance(value, tuple):
        return ", ".join(f"`{each}`" for each in value) or "none"
    return f"`{value!r}`".replace("'", '"')


def _of(module: str, function: str) -> Callable[[], str]:
    """Return a function of `tests.reference`, which needs Django to be set up before it is imported."""

    def make() -> str:
        from importlib import import_module

        made: str = getattr(import_module(f"tests.reference.{module}"), function)()
        return made

    return make


# By the page in docs/ and the name of the part: what stands between its two marks.
PARTS: Final[Mapping[tuple[str, str], Callable[[], str]]] = {
    ("api.md", "errors"): errors_table,
    ("security-log.md", "events"): events_table,
    ("reference/settings.md", "settings"): settings_table,
    ("reference/commands.md", "commands"): _of("commands", "commands"),
    ("reference/addresses.md", "addresses"): _of("addresses", "addresses"),
    ("reference/permissions.md", "permissions"): _of("permissions", "permissions"),
    ("reference/permissions.md", "other permissions"): _of("permissions", "other_permissions"),
    ("reference/events.md", "signals"): _of("events", "signals"),
    ("reference/python.md", "python"): _of("python_api", "python_api"),
    ("reference/python.md", "exceptions"): _of("python_api", "exceptions"),
    ("concepts/lifecycle.md", "moves"): _of("lifecycle", "moves_table"),
    # Asks the database.
    ("reference/metrics.md", "metrics"): _of("metrics", "metrics"),
}
ASK_THE_DATABASE: Final = frozenset({("reference/metrics.md", "metrics")})


def part_of(page: str, name: str) -> str:
    """Return what stands between the marks of a part now; raise `LookupError` if the page has no such marks."""
    found = _place(name).search((DOCS / page).read_text(encoding="utf-8"))
    if found is None:
        raise LookupError(f"{page} has no marks for {name}.")
    return found[0]


def write_parts() -> None:
    """Write every part into its page, and the pictures that follow from the code."""
    from tests.reference.lifecycle import picture

    for (page, name), make in PARTS.items():
        _write(DOCS / page, name, make())
    LIFECYCLE.write_text(picture(), encoding="utf-8")


def _write(path: Path, name: str, made: str) -> None:
    text = path.read_text(encoding="utf-8")
    path.write_text(_place(name).sub(lambda _: made, text), encoding="utf-8")


def _place(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<=<!-- {name}: begin -->\n).*?(?=<!-- {name}: end -->)", re.DOTALL)


if __name__ == "__main__":
    # A database of its own, for what has to be asked of one; a Celery app, so that its metrics are there.
    os.environ.update(
        DJANGO_SETTINGS_MODULE="tests.settings",
        DATABASE_URL="sqlite://:memory:",
        TEST_CRONJOBS='{"CELERY_APP": "tests.celery_app.app"}',
    )
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    write_parts()
