"""What a node imports when it starts: nothing that only some jobs, pages or commands need."""

from __future__ import annotations

import subprocess
import sys

import pytest

# What is slow to import, or large, and not a node's business.
NOT_A_NODES = (
    "celery",
    "kombu",
    "drf_spectacular",
    "rest_framework",
    "django.contrib.admin.sites",
    "mongoengine",
    "pymongo",
)

SCRIPT = """
import sys
import django
from django.conf import settings

settings.configure(
    SECRET_KEY="of a test",
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django_apscheduler", "cronjobs"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
)
django.setup()
import cronjobs.scheduler.node
print(*sorted(sys.modules))
"""


@pytest.fixture(scope="module")
def imported():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)  # noqa: S603 - our own
    return set(done.stdout.split())


@pytest.mark.parametrize("name", NOT_A_NODES)
def test_a_node_imports_nothing_that_it_does_not_need(imported, name):
    assert "cronjobs.scheduler.node" in imported
    assert name not in imported
