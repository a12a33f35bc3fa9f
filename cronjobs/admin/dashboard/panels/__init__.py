"""What the panels show, in words: plain data become what the templates draw."""

from __future__ import annotations

from cronjobs.admin.dashboard.panels.ahead import upcoming_panel
from cronjobs.admin.dashboard.panels.lanes import timeline_panel
from cronjobs.admin.dashboard.panels.present import failures_panel, memory_panel, state_panel
from cronjobs.admin.dashboard.panels.trends import cleanup_panel, hours_panel, ranking_panel

__all__ = [
    "cleanup_panel",
    "failures_panel",
    "hours_panel",
    "memory_panel",
    "ranking_panel",
    "state_panel",
    "timeline_panel",
    "upcoming_panel",
]
