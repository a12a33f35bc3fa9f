"""The Django app: collects job definitions, registers checks and receivers, and starts nothing."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CronJobsConfig(AppConfig):
    """Scheduled jobs, and what they did."""

    name = "cronjobs"
    verbose_name = _("Scheduled jobs")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Import what registers itself."""
        from cronjobs import checks, receivers  # noqa: F401 - their decorators do the work
        from cronjobs.registry import registry

        registry.discover()
