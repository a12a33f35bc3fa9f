"""The pages of django-apscheduler, which unpickle, are gone."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

# Prints which of the models have a page.
SCRIPT = """
import json, sys
from tests import settings as ours
from django.conf import settings

values = {name: getattr(ours, name) for name in dir(ours) if name.isupper()}
others = [app for app in values["INSTALLED_APPS"] if app not in ("cronjobs", "django_apscheduler", "django.contrib.admin")]
values["INSTALLED_APPS"] = [*json.loads(sys.argv[1]), *others]
values["CRONJOBS"] = json.loads(sys.argv[2])
settings.configure(**values)
import django
django.setup()
from django.contrib import admin

print(json.dumps(sorted(model._meta.label for model in admin.site._registry)))
"""
OWN = {"cronjobs.Job", "cronjobs.JobExecution", "cronjobs.Node"}
STOCK = {"django_apscheduler.DjangoJob", "django_apscheduler.DjangoJobExecution"}
ADMIN, OURS, THEIRS = "django.contrib.admin", "cronjobs", "django_apscheduler"


def registered(apps: list[str], **cronjobs: object) -> set[str]:
    """Return the models with a page in a process whose apps stand in that order."""
    command = [sys.executable, "-W", "error", "-c", SCRIPT, json.dumps(apps), json.dumps(cronjobs)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603 - our own
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


@pytest.mark.slow
@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    "apps",
    [
        [ADMIN, THEIRS, OURS],
        [ADMIN, OURS, THEIRS],
        [OURS, THEIRS, ADMIN],
        [THEIRS, OURS, ADMIN],
        [OURS, ADMIN, THEIRS],
        [THEIRS, ADMIN, OURS],
    ],
    ids=" ".join,
)
def test_they_are_gone_wherever_the_apps_stand(apps):
    found = registered(apps)

    assert found >= OWN
    assert not found & STOCK


@pytest.mark.slow
@pytest.mark.sqlite_only
def test_a_setting_keeps_them():
    assert registered([ADMIN, OURS, THEIRS], UNREGISTER_STOCK_ADMIN=False) >= OWN | STOCK


@pytest.mark.slow
@pytest.mark.sqlite_only
def test_settings_that_cannot_be_understood_do_not_bring_them_back():
    assert not registered([ADMIN, OURS, THEIRS], UNKNOWN=1) & STOCK


@pytest.mark.parametrize("page", ["djangojob", "djangojobexecution"])
def test_their_addresses_are_not_found(superuser, page):
    assert superuser.get(f"/admin/django_apscheduler/{page}/").status_code == 404
