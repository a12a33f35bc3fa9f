"""Jobs, and what schedules would do."""

from __future__ import annotations

from cronjobs.api.errors import ErrorCode
from cronjobs.api.jobs.previews import PreviewView
from cronjobs.api.jobs.views import (
    DEFAULT_LIMIT,
    MOST,
    JobsView,
    JobView,
    PauseJobView,
    PreviewJobView,
    ResumeJobView,
    SkipNextView,
)
from cronjobs.api.openapi.addresses.executions import execution_links
from cronjobs.api.openapi.documents.executions import Execution
from cronjobs.api.openapi.documents.jobs import JobAnswer, JobChanges, JobPreview, Jobs, NewJob, Pause, Preview
from cronjobs.api.openapi.examples import jobs as examples
from cronjobs.api.openapi.examples.executions import SKIPPED
from cronjobs.api.openapi.operations import Answer, Link, Operation, Operations
from cronjobs.api.openapi.parameters import COUNT, JOB, LOCATION, limit, query
from cronjobs.api.openapi.values import NO_NUL

_TAG = "Jobs"


def job_links(*operations: str, at: str = "/name") -> list[Link]:
    """Return links to what can be asked about the job whose name the answer has there."""
    return [Link(operation=each, parameters={"name": f"$response.body#{at}"}) for each in operations]


_SWITCHES = ("pauseJob", "resumeJob", "skipNextOfJob", "previewJob", "executeJob")
_ALL = job_links("getJob", "changeJob", "deleteJob", *_SWITCHES)
_JOB = Answer(meaning="The job.", document=JobAnswer, example=examples.JOB_ANSWER, links=_ALL)

OPERATIONS: Operations = {
    (JobsView, "GET"): Operation(
        id="listJobs",
        tag=_TAG,
        summary="Jobs by name, page by page",
        parameters=(
            query(
                "after", {"type": "string", "maxLength": 255, "pattern": NO_NUL}, "Only those that follow this name."
            ),
            limit(MOST, DEFAULT_LIMIT),
        ),
        answers={
            200: Answer(
                meaning="A page.",
                document=Jobs,
                example=examples.JOBS,
                links=job_links("getJob", "previewJob", "executeJob", at="/jobs/0/name"),
            )
        },
        errors=(ErrorCode.INVALID_PARAMETERS,),
    ),
    (JobsView, "POST"): Operation(
        id="createJob",
        tag=_TAG,
        summary="Make a job",
        body=NewJob,
        examples={"job": examples.NEW_JOB},
        answers={
            201: Answer(
                meaning="The job.", document=JobAnswer, example=examples.JOB_ANSWER, headers=LOCATION, links=_ALL
            )
        },
        errors=(ErrorCode.INVALID, ErrorCode.JOB_EXISTS),
    ),
    (JobView, "GET"): Operation(
        id="getJob",
        tag=_TAG,
        summary="One job: what is set, what that comes to, what comes next",
        parameters=(JOB,),
        answers={200: _JOB},
        errors=(ErrorCode.JOB_NOT_FOUND,),
    ),
    (JobView, "PATCH"): Operation(
        id="changeJob",
        tag=_TAG,
        summary="Change what the body names",
        parameters=(JOB,),
        body=JobChanges,
        examples={"schedule": {"schedule": "30 6 * * *", "timeoutSeconds": 600}, "disable": {"enabled": False}},
        answers={200: _JOB},
        errors=(ErrorCode.INVALID, ErrorCode.JOB_NOT_FOUND),
    ),
    (JobView, "DELETE"): Operation(
        id="deleteJob",
        tag=_TAG,
        summary="Delete a job that the code does not define",
        parameters=(JOB,),
        answers={204: Answer(meaning="It is gone; its history stays.")},
        errors=(ErrorCode.JOB_NOT_FOUND, ErrorCode.HAS_DEFINITION),
    ),
    (PauseJobView, "POST"): Operation(
        id="pauseJob",
        tag=_TAG,
        summary="Let it be due no more",
        parameters=(JOB,),
        body=Pause,
        examples={"until a time": {"until": "2030-01-01T06:00:00Z"}},
        answers={200: _JOB},
        errors=(ErrorCode.INVALID, ErrorCode.JOB_NOT_FOUND),
    ),
    (ResumeJobView, "POST"): Operation(
        id="resumeJob",
        tag=_TAG,
        summary="Let it be due again, from now on",
        parameters=(JOB,),
        answers={200: _JOB},
        errors=(ErrorCode.JOB_NOT_FOUND,),
    ),
    (SkipNextView, "POST"): Operation(
        id="skipNextOfJob",
        tag=_TAG,
        summary="Leave its next occurrence out",
        parameters=(JOB,),
        answers={
            201: Answer(
                meaning="The occurrence, as the execution that is recorded as skipped.",
                document=Execution,
                example=SKIPPED,
                headers=LOCATION,
                links=execution_links("getExecution", "retryExecution"),
            )
        },
        errors=(ErrorCode.JOB_NOT_FOUND, ErrorCode.JOB_BROKEN, ErrorCode.NOTHING_TO_SKIP),
    ),
    (PreviewJobView, "GET"): Operation(
        id="previewJob",
        tag=_TAG,
        summary="Its coming due times",
        parameters=(JOB, COUNT),
        answers={200: Answer(meaning="What comes.", document=JobPreview, example=examples.JOB_PREVIEW)},
        errors=(ErrorCode.INVALID_PARAMETERS, ErrorCode.JOB_NOT_FOUND, ErrorCode.JOB_BROKEN),
    ),
    (PreviewView, "GET"): Operation(
        id="previewSchedule",
        tag=_TAG,
        summary="What a schedule would do",
        parameters=(
            query("expression", {"type": "string"}, "A schedule.", example="0 7 * * mon-fri"),
            query("timeZone", {"type": "string"}, "An IANA name.", example="Europe/Berlin"),
            COUNT,
        ),
        answers={200: Answer(meaning="What would come.", document=Preview, example=examples.PREVIEW)},
        errors=(ErrorCode.INVALID_PARAMETERS, ErrorCode.INVALID_SCHEDULE),
    ),
}
