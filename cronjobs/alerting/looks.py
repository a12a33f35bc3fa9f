"""One look at everything that people may have to be told of, by one node in each interval."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from django.db import IntegrityError
from django.db.models import Q

from cronjobs.alerting.composing import compose
from cronjobs.alerting.decisions import decide
from cronjobs.alerting.quiet import is_quiet
from cronjobs.alerting.reading import gather
from cronjobs.alerting.writing import write
from cronjobs.conf import get_settings
from cronjobs.database import engine_alias, in_transaction
from cronjobs.models import AlertRound

# There is one row.
_ONLY = 1


def look_around(now: datetime, *, is_calm: bool = True) -> int:
    """Look, at `now` (the database's time, aware), and write what has changed; return how many alerts that made.

    `is_calm`: the database has answered for long enough that nobody's silence is due to an outage. Any number may look at once: each change is told by one of them.
    """
    if is_quiet():
        return 0
    found = gather(now, is_calm=is_calm)
    changes = decide(found)
    notices: defaultdict[int, list[int]] = defaultdict(list)
    for each in found.notices:
        notices[each.job_id or 0].append(each.pk)
    if not changes and not notices:
        return 0
    return write(compose(found, changes), notices, now=now)


def take_turn(now: datetime) -> bool:
    """Return whether it is up to the caller to look now: of all nodes, the first one after each interval."""
    interval = get_settings().alerts.interval
    # A little less, so that whoever wakes up in time is not too early; and a clock that was set back stops nobody.
    is_due = Q(looked_at__lte=now - interval * 0.9) | Q(looked_at__gt=now + interval)
    if AlertRound.objects.filter(is_due, pk=_ONLY).update(looked_at=now):
        return True
    return not AlertRound.objects.filter(pk=_ONLY).exists() and _is_first(now)


def _is_first(now: datetime) -> bool:
    alias = engine_alias(AlertRound)
    try:
        in_transaction(alias, lambda: AlertRound(pk=_ONLY, looked_at=now).save(using=alias, force_insert=True))
    except IntegrityError:
        # Somebody else was, in this moment.
        return False
    return True
