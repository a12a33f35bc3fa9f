"""Whether the jobs that work on MongoDB have anything to work on."""

from __future__ import annotations

from cronjobs import health
from cronjobs.exceptions import InvalidSettings


def mongodb_configured() -> bool:
    """Return whether the settings name a MongoDB; settings that cannot be understood name none."""
    try:
        return health.mongodb_configured()
    except InvalidSettings:
        # A system check says so, once; here it would be said again for each job that asks.
        return False
