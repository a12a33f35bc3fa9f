"""The addresses of jobs: look at them, make, change, pause, resume and delete them, and see what comes."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from cronjobs import permissions
from cronjobs.api.errors import NothingToSkip
from cronjobs.api.executions.answers import located_document
from cronjobs.api.jobs.changes import create_job, delete_job, pause_job, resume_job, update_job
from cronjobs.api.jobs.columns import JOB_KEYS, NEW_JOB_KEYS, PAUSE_KEYS, read_values
from cronjobs.api.jobs.documents import job_documents, job_url
from cronjobs.api.jobs.previews import read_count
from cronjobs.api.requests.access import check_may_redefine, check_may_set, check_reach, check_reach_of_columns, reach
from cronjobs.api.requests.lookups import find_job, find_runnable
from cronjobs.api.requests.orders import read_document, read_nothing
from cronjobs.api.requests.queries import Query, next_address, whole_number
from cronjobs.api.views import CronView
from cronjobs.exceptions import InvalidRequest
from cronjobs.models import Job
from cronjobs.models.loading import load_jobs
from cronjobs.scheduler.previews import preview_job
from cronjobs.scheduler.requests import skip_next
from cronjobs.schedules import Fire
from cronjobs.storable import rfc3339, storable_text

DEFAULT_LIMIT = 100
MOST = 1_000
_LONGEST_NAME = 255


class JobsView(CronView):
    """``GET jobs?after=&limit=``: jobs by name, those after a name, up to 1,000 at once. ``POST jobs``: make one.

    ``next`` is the address of those that follow; null: none do.
    """

    permissions_by_method: ClassVar[Mapping[str, tuple[str, ...]]] = {"POST": (permissions.ADD_JOBS,)}
    permissions = (permissions.VIEW_JOBS,)
    takes_limited_keys = True

    def get(self, request: Request) -> Response:
        query = Query(request, known=("after", "limit"))
        after = query.read("after", _name, default="")
        limit = query.read("limit", whole_number(MOST), default=DEFAULT_LIMIT)
        query.done()
        jobs = load_jobs(_jobs(request, after)[: limit + 1])
        shown = jobs[:limit]
        return Response(
            {
                "success": True,
                "jobs": job_documents(request, shown),
                "next": next_address(request, after=shown[-1].name) if len(jobs) > limit else None,
                "timestamp": rfc3339(timezone.now()),
            }
        )

    def post(self, request: Request) -> Response:
        """Answer 201 with the job; 409 ``job_exists`` if there is one of that name."""
        values = read_values(read_document(request), NEW_JOB_KEYS, required=("name", "definition"))
        self.target = values["name"]
        check_reach(request, self.target)
        check_reach_of_columns(request, values)
        name = create_job(request, values).name
        headers = {"Location": job_url(request, name)}
        return Response(_described(request, name), status=HTTPStatus.CREATED, headers=headers)


class JobView(CronView):
    """``GET``, ``PATCH`` and ``DELETE jobs/<name>``."""

    http_method_names = ("get", "head", "patch", "delete")
    permissions_by_method: ClassVar[Mapping[str, tuple[str, ...]]] = {
        # And then whatever the columns in the body take.
        "PATCH": (permissions.CHANGE_JOBS, *permissions.SWITCHES),
        "DELETE": (permissions.DELETE_JOBS,),
    }
    permissions = (permissions.VIEW_JOBS,)
    takes_limited_keys = True

    def get(self, request: Request, name: str) -> Response:
        return Response(_described(request, name))

    def patch(self, request: Request, name: str) -> Response:
        """Change what the body names, and nothing else; nodes follow by themselves.

        With the permission to pause, resume, enable or disable alone, only ``paused``, ``pausedUntil`` and
        ``enabled`` can be set, to what the permission is for.
        """
        find_job(name)
        values = read_values(read_document(request), JOB_KEYS)
        check_may_set(request, values)
        check_reach_of_columns(request, values)
        if "definition" in values:
            check_may_redefine(request)
        update_job(request, name, values)
        return Response(_described(request, name))

    def delete(self, request: Request, name: str) -> Response:
        """Answer 204; the history stays. 409 ``has_definition`` while the code would make the job again."""
        find_job(name)
        read_nothing(request)
        delete_job(request, name)
        return Response(status=HTTPStatus.NO_CONTENT)


class PauseJobView(CronView):
    """``POST jobs/<name>/pause``: let it be due no more. The body is empty, or ``{"until": <time>}``."""

    permissions = (permissions.PAUSE_JOBS,)
    takes_limited_keys = True

    def post(self, request: Request, name: str) -> Response:
        find_job(name)
        values = read_values(read_document(request), PAUSE_KEYS)
        pause_job(request, name, values.get("paused_until"))
        return Response(_described(request, name))


class ResumeJobView(CronView):
    """``POST jobs/<name>/resume``: let it be due again, from now on. The body is empty."""

    permissions = (permissions.RESUME_JOBS,)
    takes_limited_keys = True

    def post(self, request: Request, name: str) -> Response:
        find_job(name)
        read_nothing(request)
        resume_job(request, name)
        return Response(_described(request, name))


class SkipNextView(CronView):
    """``POST jobs/<name>/skip-next``: leave the next occurrence out. The body is empty.

    201: the occurrence, as the execution that is recorded as skipped. 409: none comes.
    """

    permissions = (permissions.CHANGE_JOBS,)
    takes_limited_keys = True

    def post(self, request: Request, name: str) -> Response:
        job = find_runnable(name)
        read_nothing(request)
        try:
            skipped = skip_next(job, by=request.user.get_username())
        except InvalidRequest as error:
            raise NothingToSkip(str(error)) from error
        document = located_document(request, skipped)
        return Response(document, status=HTTPStatus.CREATED, headers={"Location": document["url"]})


class PreviewJobView(CronView):
    """``GET jobs/<name>/preview?count=``: its coming due times, and notes on whatever has a hand in them."""

    permissions = (permissions.VIEW_JOBS,)
    takes_limited_keys = True

    def get(self, request: Request, name: str) -> Response:
        job, query = find_runnable(name), Query(request, known=("count",))
        count = read_count(query)
        query.done()
        schedule = job.resolve().schedule
        found = preview_job(job, after=timezone.now(), count=count)
        document: dict[str, Any] = {
            "success": True,
            "name": job.name,
            "expression": None if schedule is None else str(schedule),
            "timeZone": job.resolve().time_zone,
            "description": None if schedule is None else schedule.describe(),
            "fires": [rfc3339(at) for at in found.times],
            "notes": list(found.notes),
            "details": [_detail(each) for each in found.fires],
            "timestamp": rfc3339(timezone.now()),
        }
        return Response(document)


def _described(request: Request, name: str) -> dict[str, Any]:
    (document,) = job_documents(request, [find_job(name)])
    return {"success": True, **document, "timestamp": rfc3339(timezone.now())}


def _jobs(request: Request, after: str) -> QuerySet[Job]:
    """Return the jobs that the caller reaches, by name; those after a name, if there is one."""
    jobs, names = Job.objects.order_by("name").resolvable(), reach(request)
    if names is not None:
        jobs = jobs.filter(name__in=names)
    return jobs.filter(name__gt=after) if after else jobs


def _name(text: str) -> str:
    if len(text) > _LONGEST_NAME or storable_text(text) != text:
        raise ValueError("Must be a job's name.")
    return text


def _detail(fire: Fire) -> dict[str, Any]:
    return {
        "at": rfc3339(fire.at),
        "start": None if fire.start is None else rfc3339(fire.start),
        "runs": fire.runs,
        "mark": fire.mark,
        "note": fire.note or None,
    }
