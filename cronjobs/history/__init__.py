"""What the history comes to: figures of each hour or day, and roll-ups, from which long ranges are read."""

from __future__ import annotations

from cronjobs.history.figures import Figures, Period, boundaries, job_figures
from cronjobs.models.rollups import rolled_up_until

__all__ = ["Figures", "Period", "boundaries", "job_figures", "rolled_up_until"]
