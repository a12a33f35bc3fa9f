"""Routers that keep apart what belongs together."""

from __future__ import annotations

from typing import Any


class ClockApart:
    """Due times are in another database than executions."""

    def db_for_write(self, model: Any, **hints: Any) -> str | None:
        return "elsewhere" if model._meta.app_label == "django_apscheduler" else None


class UsersApart:
    """Users are in another database than the app."""

    def db_for_write(self, model: Any, **hints: Any) -> str | None:
        return "elsewhere" if model._meta.app_label == "auth" else None


class NothingMigrated:
    """The app's tables are made nowhere."""

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        return False if app_label == "cronjobs" else None
