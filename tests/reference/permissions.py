"""Every permission of the app: what Django calls it, which requests it lets in, and whether a key may name it."""

from __future__ import annotations

from collections.abc import Iterator

from django.apps import apps
from django.contrib import admin
from django.contrib.auth.management import _get_all_permissions  # type: ignore[attr-defined]  # what migrate makes them of
from django.db.models import Model

from cronjobs.admin.pages import ReadOnlyAdmin
from cronjobs.permissions import KEY_ACTIONS
from tests.reference import code, table
from tests.reference.addresses import all_addresses


def permissions() -> str:
    """Return the table of what keys of the API can be limited to, which is all that the API asks for."""
    labels = {name: label for _, name, label in _all()}
    rows = [(f"`{each}`", labels[each], code(_requests(each), between="<br>")) for each in KEY_ACTIONS]
    return table(("permission", "what Django calls it", "requests that it lets in"), rows)


def other_permissions() -> str:
    """Return the table of those that no key needs: they open pages of the admin, and nothing else."""
    rows = [(f"`{name}`", label) for model, name, label in _all() if name not in KEY_ACTIONS and _opens(model, name)]
    return table(("permission", "what Django calls it"), rows)


def _all() -> Iterator[tuple[type[Model], str, str]]:
    for model in apps.get_app_config("cronjobs").get_models():
        yield from ((model, name, str(label)) for name, label in _get_all_permissions(model._meta))


def _opens(model: type[Model], permission: str) -> bool:
    """Return whether a page of the admin asks for it."""
    page = admin.site._registry.get(model)
    return page is not None and (permission.startswith("view_") or not isinstance(page, ReadOnlyAdmin))


def _requests(permission: str) -> list[str]:
    return [f"{each.method} {each.path}" for each in all_addresses() if permission in each.permissions]
