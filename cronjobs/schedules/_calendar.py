"""Time as whole numbers: seconds, minutes and days counted from the epoch."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_DAY = EPOCH.toordinal()
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
# In minutes.
DAY = 24 * 60

# Due times outside these years do not exist, so no search can run off the calendar.
FIRST_YEAR, LAST_YEAR = 1900, 2200
EARLIEST = (datetime(FIRST_YEAR, 1, 1, tzinfo=UTC) - EPOCH) // SECOND
LATEST = (datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC) - EPOCH) // SECOND - 1


def seconds_of(t: datetime) -> int:
    """Return the whole seconds from the epoch to `t`, rounded down; refuse a naive `t`."""
    if t.utcoffset() is None:
        raise ValueError(f"A schedule needs an aware datetime, not the naive {t.isoformat()}.")
    return (t - EPOCH) // SECOND


def instant_of(seconds: int) -> datetime:
    """Return the UTC instant so many seconds after the epoch."""
    return EPOCH + timedelta(seconds=seconds)


def year_of(minute: int) -> int:
    """Return the year in which `minute` lies."""
    return date.fromordinal(minute // DAY + EPOCH_DAY).year


def first_minute_of(year: int) -> int:
    """Return the minute with which `year` begins."""
    return (date(year, 1, 1).toordinal() - EPOCH_DAY) * DAY
