"""Every address of the HTTP API with what it takes, read from its description and its views."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from cronjobs.api.openapi.generating import OPERATIONS, api_document
from cronjobs.api.views import CronView
from cronjobs.permissions import enough_for
from tests.reference import code, table

_NUMBER, _NAME = "<number>", "<name>"


class Address(NamedTuple):
    """One method of one address."""

    method: str
    path: str
    summary: str
    permissions: tuple[str, ...]
    # Which of THROTTLES counts it; empty: none.
    scope: str
    takes_limited_keys: bool


def addresses() -> str:
    """Return the table of addresses, by their paths."""
    rows = [
        (
            f"`{each.method} {each.path}`",
            each.summary,
            code(each.permissions, between=" or ") or "none",
            f"`{each.scope}`" if each.scope else "none",
            "yes" if each.takes_limited_keys else "no" if each.permissions else "",
        )
        for each in all_addresses()
    ]
    return table(("request", "", "permission", "counted as", "keys for some jobs"), rows)


def all_addresses() -> Iterator[Address]:
    """Yield each method of each address, by their paths."""
    views = {operation.id: view for (view, _), operation in OPERATIONS.items()}
    for path, methods in sorted(api_document("/cron/")["paths"].items()):
        for method, operation in methods.items():
            yield _address(method.upper(), path, operation, views[operation["operationId"]])


def _address(method: str, path: str, operation: dict[str, Any], view: type[CronView]) -> Address:
    asked = view.permissions_by_method.get(method, view.permissions)
    permissions = dict.fromkeys(each.partition(".")[2] for one in asked for each in enough_for(one))
    return Address(
        method=method,
        path=path.replace("{executionId}", _NUMBER).replace("{name}", _NAME),
        summary=operation["summary"],
        permissions=tuple(permissions),
        scope=_scope(method, view),
        takes_limited_keys=view.takes_limited_keys,
    )


def _scope(method: str, view: type[CronView]) -> str:
    if not view.throttle_classes:
        return ""
    return "read" if method == "GET" else view.write_scope
