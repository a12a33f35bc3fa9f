"""When jobs are due: pure values in, instants out; no database, no clock, no I/O."""

from __future__ import annotations

from cronjobs.schedules._advice import ClockEffect, ClockNote
from cronjobs.schedules._base import CatchUp, Schedule
from cronjobs.schedules._cron import Cron
from cronjobs.schedules._excluding import Excluding, excluding
from cronjobs.schedules._preview import PREVIEW_LIMIT, Fire, Mark, Preview, preview
from cronjobs.schedules._simple import At, Every
from cronjobs.schedules._text import parse_schedule
from cronjobs.schedules._zones import ClockChange, clock_changes, parse_time_zone

__all__ = [
    "PREVIEW_LIMIT",
    "At",
    "CatchUp",
    "ClockChange",
    "ClockEffect",
    "ClockNote",
    "Cron",
    "Every",
    "Excluding",
    "Fire",
    "Mark",
    "Preview",
    "Schedule",
    "clock_changes",
    "excluding",
    "parse_schedule",
    "parse_time_zone",
    "preview",
]
