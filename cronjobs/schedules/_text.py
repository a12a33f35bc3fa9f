"""Schedules as people write them: cron text, nicknames, and the @every and @at forms."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from difflib import get_close_matches

from cronjobs.exceptions import InvalidSchedule
from cronjobs.language import gettext as _
from cronjobs.schedules._base import Schedule
from cronjobs.schedules._calendar import EPOCH
from cronjobs.schedules._cron import Cron
from cronjobs.schedules._fields import about, check_text
from cronjobs.schedules._simple import LONGEST_INTERVAL, At, Every

_NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_INTERVAL = re.compile(r"(?:(?P<days>\d+)d)?(?:(?P<hours>\d+)h)?(?:(?P<minutes>\d+)m)?(?:(?P<seconds>\d+)s)?")


def parse_schedule(text: str) -> Schedule:
    """Return the schedule that `text` describes, without a time zone; raise `InvalidSchedule` if none.

    Understood are cron expressions (see `Cron`), the nicknames of crontab(5) such as ``@daily``,
    ``@every 90s`` or ``@every 1h30m`` (optionally ``from`` an ISO time: the anchor), and
    ``@at 2026-03-01T09:00:00Z``.
    """
    check_text(text)
    text = " ".join(text.split())
    if not text.startswith("@"):
        return Cron(text)
    word, _space, rest = text.partition(" ")
    return _parse_word(word.lower(), rest)


def _parse_word(word: str, rest: str) -> Schedule:
    if word == "@every":
        interval, _from, anchor = rest.partition(" from ")
        return Every(_parse_interval(interval), _parse_instant(anchor, "anchor") if anchor else EPOCH)
    if word == "@at":
        return At(_parse_instant(rest, "instant"))
    if word in _NICKNAMES and not rest:
        return Cron(_NICKNAMES[word])
    known = [*_NICKNAMES, "@every", "@at"]
    facts = {"text": f"{word} {rest}".strip(), "known": ", ".join(known)}
    close = [] if word in known else get_close_matches(word, known, n=1)
    if close:
        message = _("%(text)r is not a schedule. Did you mean %(close)r?") % {**facts, "close": close[0]}
    else:
        message = _("%(text)r is not a schedule; known are %(known)s.") % facts
    raise InvalidSchedule(message, field="schedule")


def _parse_interval(text: str) -> timedelta:
    match = _INTERVAL.fullmatch(text.lower())
    if not match or not text:
        problem = _("%(text)r is not an interval; write 90s, 5m, 1h30m or 2d") % {"text": text}
        raise InvalidSchedule(about("interval", problem), field="interval")
    try:
        return timedelta(**{unit: int(count) for unit, count in match.groupdict(default="0").items()})
    except OverflowError:
        problem = _("%(text)r is longer than %(most)d days") % {"text": text, "most": LONGEST_INTERVAL.days}
        raise InvalidSchedule(about("interval", problem), field="interval") from None


def _parse_instant(text: str, field: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        problem = _("%(text)r is not an ISO time such as %(example)s")
        facts = {"text": text, "example": "2026-03-01T09:00:00Z"}
        raise InvalidSchedule(about(field, problem % facts), field=field) from None
