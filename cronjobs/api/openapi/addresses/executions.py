"""Running jobs, and their executions."""

from __future__ import annotations

from cronjobs.api.errors import ErrorCode
from cronjobs.api.executions.execute import ExecuteView
from cronjobs.api.executions.histories import DEFAULT_LIMIT, MOST, ExecutionsView
from cronjobs.api.executions.logs import MOST_ATTEMPTS, MOST_LINES, AttemptsView, LogsView
from cronjobs.api.executions.trees import TreeView
from cronjobs.api.executions.views import CancelView, ExecutionView, RetryView
from cronjobs.api.openapi.documents.executions import (
    Attempts,
    Cancellation,
    Execution,
    ExecutionDetails,
    Flow,
    History,
    LogLines,
    NotedExecution,
    Order,
)
from cronjobs.api.openapi.examples import executions as examples
from cronjobs.api.openapi.operations import Answer, Link, Operation, Operations
from cronjobs.api.openapi.parameters import BEFORE, EXECUTION, IDEMPOTENCY_KEY, JOB, LOCATION, SOME_NAME, limit, query
from cronjobs.models import Trigger
from cronjobs.states import ExecutionStatus

_TAG = "Executions"
_STATUSES = {"type": "array", "items": {"type": "string", "enum": ExecutionStatus.values}}
_TIME = {"type": "string", "format": "date-time"}
_TEXT_HEADERS = {
    "Link": {"description": "As text: the address of what follows.", "schema": {"type": "string"}},
    "X-Is-Final": {"description": "As text: whether nothing will follow.", "schema": {"type": "boolean"}},
}


def execution_links(*operations: str, at: str = "/executionId") -> list[Link]:
    """Return links to what can be asked about the execution whose number the answer has there."""
    return [Link(operation=each, parameters={"executionId": f"$response.body#{at}"}) for each in operations]


_LOOK = execution_links("getExecution", "getExecutionLogs", "getExecutionAttempts", "getExecutionTree")
_ALL = [*_LOOK, *execution_links("cancelExecution", "retryExecution")]

OPERATIONS: Operations = {
    (ExecuteView, "POST"): Operation(
        id="executeJob",
        tag=_TAG,
        summary="Run a job now",
        parameters=(JOB, IDEMPOTENCY_KEY),
        body=Order,
        examples={"parameters": {"params": {"days": 2}}, "without waiting": {"wait": False}},
        answers={
            200: Answer(
                meaning="It has ended, as `success` and `code` say.",
                document=Execution,
                example=examples.SUCCEEDED,
                links=_ALL,
            ),
            202: Answer(
                meaning="It has not ended yet; `url` tells more later.",
                document=NotedExecution,
                example=examples.NOTED,
                headers=LOCATION,
                links=_ALL,
            ),
        },
        errors=(
            ErrorCode.INVALID,
            ErrorCode.INVALID_PARAMETERS,
            ErrorCode.JOB_NOT_FOUND,
            # It may be purged while it is waited for.
            ErrorCode.EXECUTION_NOT_FOUND,
            ErrorCode.JOB_BROKEN,
        ),
    ),
    (ExecutionsView, "GET"): Operation(
        id="listExecutions",
        tag=_TAG,
        summary="The history, newest first, page by page",
        parameters=(
            query("job", SOME_NAME, "The name of a job that is there."),
            query("status", _STATUSES, "One or several: repeated, or with commas."),
            query("trigger", {"type": "string", "enum": Trigger.values}, "Why they exist."),
            query("node", SOME_NAME, "Where they ran last."),
            query("since", _TIME, "Recorded from then on.", example="2026-03-01T00:00:00Z"),
            query("until", _TIME, "Recorded before then."),
            BEFORE,
            limit(MOST, DEFAULT_LIMIT),
        ),
        answers={
            200: Answer(
                meaning="A page.",
                document=History,
                example=examples.HISTORY,
                links=execution_links(
                    "getExecution", "getExecutionLogs", "retryExecution", at="/executions/0/executionId"
                ),
            )
        },
        errors=(ErrorCode.INVALID_PARAMETERS,),
    ),
    (ExecutionView, "GET"): Operation(
        id="getExecution",
        tag=_TAG,
        summary="One execution",
        parameters=(EXECUTION,),
        answers={
            200: Answer(meaning="The execution.", document=ExecutionDetails, example=examples.DETAILS, links=_ALL)
        },
        errors=(ErrorCode.EXECUTION_NOT_FOUND,),
    ),
    (AttemptsView, "GET"): Operation(
        id="getExecutionAttempts",
        tag=_TAG,
        summary="What went wrong in each of its attempts",
        parameters=(
            EXECUTION,
            query("after", {"type": "integer", "minimum": 0, "maximum": 32_767}, "Only attempts after this one."),
            limit(MOST_ATTEMPTS, MOST_ATTEMPTS),
        ),
        answers={200: Answer(meaning="The attempts.", document=Attempts, example=examples.ATTEMPTS)},
        errors=(ErrorCode.INVALID_PARAMETERS, ErrorCode.EXECUTION_NOT_FOUND),
    ),
    (LogsView, "GET"): Operation(
        id="getExecutionLogs",
        tag=_TAG,
        summary="What it has logged up to now",
        parameters=(
            EXECUTION,
            query(
                "after",
                {"type": "string", "pattern": r"^[0-9]{1,18}\.[0-9]{1,18}$"},
                "The attempt and the number of the last line that was read.",
                example="1.20",
            ),
            limit(MOST_LINES, MOST_LINES),
            query("format", {"type": "string", "enum": ["json", "text"], "default": "json"}, "How the lines come."),
        ),
        answers={
            200: Answer(
                meaning="Lines in their order.",
                document=LogLines,
                example=examples.LOG_LINES,
                others={"text/plain": {"type": "string"}},
                headers=_TEXT_HEADERS,
            )
        },
        errors=(ErrorCode.INVALID_PARAMETERS, ErrorCode.EXECUTION_NOT_FOUND),
    ),
    (CancelView, "POST"): Operation(
        id="cancelExecution",
        tag=_TAG,
        summary="Call an execution off",
        parameters=(EXECUTION,),
        body=Cancellation,
        examples={"reason": {"reason": "Wrong month."}},
        answers={
            200: Answer(
                meaning="It waited, and is cancelled now.", document=Execution, example=examples.CANCELLED, links=_ALL
            ),
            202: Answer(
                meaning="It runs, and has been asked to stop.",
                document=NotedExecution,
                example=examples.ASKED_TO_STOP,
                headers=LOCATION,
                links=_LOOK,
            ),
        },
        errors=(ErrorCode.EXECUTION_NOT_FOUND, ErrorCode.NOT_OPEN),
    ),
    (RetryView, "POST"): Operation(
        id="retryExecution",
        tag=_TAG,
        summary="Run an execution again, as a new one",
        parameters=(EXECUTION,),
        answers={
            200: Answer(
                meaning="It is being run again already, by this execution.",
                document=NotedExecution,
                example=examples.NOTED,
                headers=LOCATION,
                links=_ALL,
            ),
            201: Answer(
                meaning="The new execution.",
                document=Execution,
                example=examples.QUEUED,
                headers=LOCATION,
                links=_ALL,
            ),
        },
        errors=(
            ErrorCode.EXECUTION_NOT_FOUND,
            ErrorCode.JOB_NOT_FOUND,
            ErrorCode.JOB_BROKEN,
            ErrorCode.STILL_OPEN,
            ErrorCode.NOT_RETRYABLE,
        ),
    ),
    (TreeView, "GET"): Operation(
        id="getExecutionTree",
        tag=_TAG,
        summary="The whole flow that it belongs to",
        parameters=(EXECUTION,),
        answers={200: Answer(meaning="The root of the flow.", document=Flow, example=examples.FLOW)},
        errors=(ErrorCode.EXECUTION_NOT_FOUND,),
    ),
}
