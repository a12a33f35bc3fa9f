"""APScheduler's view of a schedule: a trigger that asks ours, since its own cron is not standard."""

from __future__ import annotations

from datetime import datetime

from apscheduler.triggers.base import BaseTrigger

from cronjobs.schedules import Schedule


class ScheduleTrigger(BaseTrigger):
    """Fires when `schedule` says; None: never by itself."""

    def __init__(self, schedule: Schedule | None) -> None:
        self.schedule = schedule

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        """Return the first due time after the previous one, or after `now` if there was none."""
        if self.schedule is None:
            return None
        return self.schedule.next_after(previous_fire_time or now)

    def __str__(self) -> str:
        return "on demand" if self.schedule is None else self.schedule.describe()
