"""What has ended asks for a look at what depends on it, in the transaction that ends it."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Q

from cronjobs.database import DatabaseNow
from cronjobs.models.execution import JobExecution
from cronjobs.models.graph import load_followers
from cronjobs.states import FINAL

# What never began, outside of a flow, starts none.
_STARTS_OR_CONTINUES_A_FLOW = Q(first_started_at__isnull=False) | Q(flow__isnull=False)


def waited_for(alias: str, job_names: Iterable[str]) -> set[str]:
    """Return those of `job_names` that some job waits for, as far as this code knows; one SELECT for any number."""
    names = set(job_names)
    if not names:
        return set()
    followers = load_followers(alias)
    return {name for name in names if followers.may_wait_for(name)}


def ask_for_followup(alias: str, executions: Iterable[tuple[int, str]]) -> None:
    """Mark those of the ended `executions`, ids with job names, that some job waits for.

    Must run in the transaction that ends them: so neither is there without the other. With
    nothing that waits for them, it is one SELECT.
    """
    ended = dict(executions)
    names = waited_for(alias, ended.values())
    asking = {pk for pk, job_name in ended.items() if job_name in names}
    if asking:
        rows = JobExecution.objects.using(alias).filter(_STARTS_OR_CONTINUES_A_FLOW, pk__in=asking, status__in=FINAL)
        rows.update(followup_due=DatabaseNow())
