"""The demo project's settings, with the job that is measured."""

from __future__ import annotations

from project.settings import *  # noqa: F403 - all of them
from project.settings import INSTALLED_APPS as _APPS

INSTALLED_APPS = [*_APPS, "bench"]
