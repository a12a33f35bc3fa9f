"""What the history comes to: figures of each hour or day, and roll-ups, from which long ranges are read."""

from __future__ import annotations

from cronjobs.history.figures import Figures, Period, boundaries, job_figures
from cronjobs.history.rolling import LOOK_BACK, RolledUp, roll_up
from cronjobs.models.rollups import rolled_up_until

__all__ = ["LOOK_BACK", "Figures", "Period", "RolledUp", "boundaries", "job_figures", "roll_up", "rolled_up_until"]
