"""The parts of the documentation that follow from the code; run as a module, it writes them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import django

README = Path(__file__).resolve().parent.parent / "README.md"
API = README.parent / "docs" / "api.md"
SECURITY = README.parent / "docs" / "security-log.md"


def with_settings_table(text: str) -> str:
    """Return the README with its table of settings as the code has them."""
    return _with_table(text, "settings", settings_table())


def with_errors_table(text: str) -> str:
    """Return the document of the API with its table of errors as the code has them."""
    return _with_table(text, "errors", errors_table())


def with_events_table(text: str) -> str:
    """Return the document of the security log with its table of events as the code has them."""
    return _with_table(text, "events", events_table())


def _with_table(text: str, name: str, table: str) -> str:
    place = re.compile(rf"(?<=<!-- {name}: begin -->\n).*?(?=<!-- {name}: end -->)", re.DOTALL)
    return place.sub(lambda _: table, text)


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


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    API.write_text(with_errors_table(API.read_text(encoding="utf-8")), encoding="utf-8")
    SECURITY.write_text(with_events_table(SECURITY.read_text(encoding="utf-8")), encoding="utf-8")
    README.write_text(with_settings_table(README.read_text(encoding="utf-8")), encoding="utf-8")
