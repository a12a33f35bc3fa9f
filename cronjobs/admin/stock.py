"""django-apscheduler's own admin pages, which run jobs from pickles for whoever may look at them."""

from __future__ import annotations

from importlib import import_module

from django.apps import apps
from django.contrib import admin
from django.utils.module_loading import module_has_submodule

from cronjobs.conf import get_settings
from cronjobs.exceptions import InvalidSettings

_APP = "django_apscheduler"


def unregister_stock_admin() -> None:
    """Take the pages away, wherever the two apps stand in INSTALLED_APPS."""
    if not apps.is_installed(_APP) or not _is_wanted():
        return
    app = apps.get_app_config(_APP)
    # What has been imported already is not registered again when it is its turn.
    if app.module is not None and module_has_submodule(app.module, "admin"):
        import_module(f"{app.name}.admin")
    for model in app.get_models():
        if admin.site.is_registered(model):
            admin.site.unregister(model)


def _is_wanted() -> bool:
    try:
        return get_settings().unregister_stock_admin
    except InvalidSettings:
        # The system check reports it; until then the safe choice.
        return True
