"""Whether the jobs that work on MongoDB have anything to work on."""

from __future__ import annotations

from cronjobs.conf import get_settings


def mongodb_configured() -> bool:
    """Return whether the settings name a MongoDB; asked without importing its drivers, which are optional."""
    return bool(get_settings().mongodb_uri)
