"""django-apscheduler's job store over our clock rows: nothing is pickled, unpickled or deleted."""

from __future__ import annotations

from typing import Any, NoReturn

from apscheduler.job import Job as APSchedulerJob
from apscheduler.jobstores.base import JobLookupError
from django_apscheduler.jobstores import DjangoJobStore
from django_apscheduler.models import DjangoJob

from cronjobs.database import as_utc
from cronjobs.exceptions import CronJobsError
from cronjobs.models import Job, JobExecution, Trigger
from cronjobs.scheduler.clock_rows import job_id_of, own_rows
from cronjobs.scheduler.trigger import ScheduleTrigger


def request_execution(name: str) -> None:
    """Record an execution of the job `name`: what an APScheduler job of ours does when it is called."""
    JobExecution.objects.request(name, trigger=Trigger.MANUAL)


class ClockStore(DjangoJobStore):
    """Shows the clock rows of this app as APScheduler jobs; rows come from `Job`, never through here."""

    def register_event_listeners(self) -> None:
        """Do nothing: history is `JobExecution`, not `DjangoJobExecution`."""

    def shutdown(self) -> None:
        """Do nothing: the connection belongs to the calling thread."""

    def lookup_job(self, job_id: str) -> APSchedulerJob | None:
        found = self._get_jobs(id=job_id)
        return found[0] if found else None

    def add_job(self, job: APSchedulerJob) -> NoReturn:
        raise CronJobsError("Jobs are rows: create a cronjobs Job instead of adding one to the scheduler.")

    def update_job(self, job: APSchedulerJob) -> None:
        """Store the next run time of a job that was paused, resumed or rescheduled through APScheduler."""
        if not own_rows().filter(id=job.id).update(next_run_time=job.next_run_time):
            raise JobLookupError(job.id)

    def remove_job(self, job_id: str) -> None:
        """Silence the clock row; it is never deleted."""
        if not own_rows().filter(id=job_id).update(next_run_time=None):
            raise JobLookupError(job_id)

    def remove_all_jobs(self) -> None:
        """Silence every clock row of this app; none is deleted."""
        own_rows().update(next_run_time=None)

    def get_next_run_time(self) -> Any:
        row = own_rows().filter(next_run_time__isnull=False).order_by("next_run_time").first()
        return None if row is None else as_utc(row.next_run_time)

    def _get_jobs(self, **filters: Any) -> list[APSchedulerJob]:
        rows = list(own_rows().filter(**filters).order_by("id"))
        jobs = Job.objects.resolvable().in_bulk([pk for row in rows if (pk := job_id_of(row.id)) is not None])
        return [self._show(row, jobs[pk]) for row in rows if (pk := job_id_of(row.id)) in jobs]

    def _reconstitute_job(self, job_state: Any) -> NoReturn:
        raise CronJobsError("A clock row holds no pickled job.")

    def _show(self, row: DjangoJob, job: Job) -> APSchedulerJob:
        shown = APSchedulerJob.__new__(APSchedulerJob)
        shown.__setstate__(
            {
                "id": row.id,
                "name": job.name,
                "func": f"{__name__}:{request_execution.__name__}",
                "args": (job.name,),
                "kwargs": {},
                "trigger": ScheduleTrigger(_schedule_of(job)),
                "executor": "default",
                "misfire_grace_time": None,
                "coalesce": True,
                "max_instances": 1,
                "next_run_time": None if row.next_run_time is None else as_utc(row.next_run_time),
            }
        )
        shown._scheduler, shown._jobstore_alias = self._scheduler, self._alias  # noqa: SLF001 - as the base class does
        return shown


def _schedule_of(job: Job) -> Any:
    try:
        return job.resolve().schedule
    except CronJobsError:
        return None
