"""The dashboard, for Django's admin, which has a page, an address and a place in the index for each model."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from cronjobs.models.job import Job


class Dashboard(Job):
    """Stands for the page and not for a job: it has no rows and no permissions of its own."""

    class Meta:
        proxy = True
        default_permissions = ()
        verbose_name = _("dashboard")
        verbose_name_plural = _("dashboard")
