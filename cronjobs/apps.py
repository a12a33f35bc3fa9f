"""The Django app: collects job definitions, registers checks and receivers, and starts nothing."""

from __future__ import annotations

from django.apps import AppConfig, apps
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _


class CronJobsConfig(AppConfig):
    """Scheduled jobs, and what they did."""

    name = "cronjobs"
    verbose_name = _("Scheduled jobs")
    default_auto_field = "django.db.models.BigAutoField"

    def import_models(self) -> None:
        """Import the models; raise `ImproperlyConfigured`, before anybody trips over it, if an app that they need is missing."""
        # No system check could tell: what imports the engine, such as the admin, would fail before any runs.
        if not apps.is_installed("django_apscheduler"):
            raise ImproperlyConfigured("cronjobs needs django_apscheduler: add 'django_apscheduler' to INSTALLED_APPS.")
        super().import_models()

    def ready(self) -> None:
        """Import what registers itself."""
        from cronjobs import checks, receivers  # noqa: F401 - their decorators do the work
        from cronjobs.registry import registry

        registry.discover()
