"""The demo project's settings, with the jobs that are measured."""

from __future__ import annotations

import json
import os

from project.settings import *  # noqa: F403 - all of them
from project.settings import CRONJOBS as _CRONJOBS
from project.settings import INSTALLED_APPS as _APPS

INSTALLED_APPS = [*_APPS, "bench"]
CRONJOBS = {**_CRONJOBS, **json.loads(os.environ.get("BENCH_CRONJOBS") or "{}")}
