"""What other tables say about the jobs on one page of the list, asked once for all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.admin.views.main import ChangeList
from django.db.models import OuterRef, Subquery
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString

from cronjobs.admin import rendering
from cronjobs.admin.jobs.durations import SHOWN
from cronjobs.admin.jobs.order import JobOrder
from cronjobs.admin.windows import WIDE
from cronjobs.models import Job, JobExecution
from cronjobs.models.loading import load_jobs
from cronjobs.models.recent import RecentExecutions, recent_executions
from cronjobs.scheduler.agenda import coming_run_times

NEXT_RUNS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What the row of a job shows that is not the job's own. `switch_url`: None for who may not switch it."""

    order: JobOrder
    last_execution: JobExecution | None
    coming: tuple[datetime, ...]
    runs: RecentExecutions | None
    switch_url: str | None


class JobList(ChangeList):
    """The list of jobs, each with what is `Listed` of it."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        jobs: list[Any] = load_jobs(self.result_list)
        last, runs = _last_executions(jobs), recent_executions((job.pk for job in jobs), count=SHOWN)
        coming = coming_run_times(jobs, count=NEXT_RUNS, now=timezone.now())
        admin: Any = self.model_admin
        may = {"enable": admin.has_enable_permission(request), "disable": admin.has_disable_permission(request)}
        order = JobOrder()
        for job in jobs:
            switch = "disable" if job.enabled else "enable"
            job.listed = Listed(
                order=order,
                last_execution=last.get(job.pk),
                coming=coming[job.pk],
                runs=runs.get(job.pk),
                switch_url=self._switch_url(job, switch) if may[switch] else None,
            )
        self.result_list = jobs

    def _switch_url(self, job: Job, switch: str) -> str:
        return reverse(f"admin:cronjobs_job_{switch}", args=[job.pk], current_app=self.model_admin.admin_site.name)


def next_runs(times: Iterable[datetime], *, now: datetime) -> SafeString:
    """Return the next times at which a job runs, the first with how long it is until then."""
    shown = [*times]
    if not shown:
        return rendering.nothing()
    later = (rendering.quiet(rendering.brief_moment(at, now=now)) for at in shown[1:])
    return rendering.lines(rendering.ahead(shown[0], now=now), *later)


def _last_executions(jobs: Iterable[Job]) -> dict[int, JobExecution]:
    history = JobExecution.objects.filter(job=OuterRef("pk")).order_by("-id")
    last = Job.objects.filter(pk__in=[job.pk for job in jobs]).annotate(last_id=Subquery(history.values("pk")[:1]))
    ids = dict(last.order_by().values_list("pk", "last_id"))
    executions = JobExecution.objects.defer(*WIDE).in_bulk({pk for pk in ids.values() if pk is not None})
    return {job_id: executions[pk] for job_id, pk in ids.items() if pk in executions}
