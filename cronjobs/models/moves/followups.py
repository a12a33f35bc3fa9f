"""What has ended asks for a look at what depends on it, in the transaction that ends it."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Q

from cronjobs.database import DatabaseNow
from cronjobs.models.execution import JobExecution
from cronjobs.models.graph import load_followers
from cronjobs.models.job import Job
from cronjobs.states import FINAL

# What never began, outside of a flow, starts none.
_STARTS_OR_CONTINUES_A_FLOW = Q(first_started_at__isnull=False) | Q(flow__isnull=False)


def ask_for_followup(alias: str, executions: Iterable[tuple[int, str]]) -> set[int]:
    """Mark those of the ended `executions`, ids with job names, that some job waits for; return their ids.

    Must run in the transaction that ends them: so neither is there without the other. One
    SELECT for any number; with nothing that waits for them, nothing more.
    """
    ended = dict(executions)
    if not ended:
        return set()
    followers = load_followers(Job.objects.using(alias))
    asking = {pk for pk, job_name in ended.items() if followers.may_wait_for(job_name)}
    if asking:
        rows = JobExecution.objects.using(alias).filter(_STARTS_OR_CONTINUES_A_FLOW, pk__in=asking, status__in=FINAL)
        rows.update(followup_due=DatabaseNow())
    return asking
