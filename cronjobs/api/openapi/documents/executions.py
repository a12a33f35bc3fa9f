"""Executions, their attempts and what they log."""

from __future__ import annotations

from functools import partial

from rest_framework.serializers import (
    BooleanField,
    CharField,
    DateTimeField,
    FloatField,
    IntegerField,
    JSONField,
    ListField,
)

from cronjobs.api.openapi.values import (
    Address,
    Always,
    Count,
    Document,
    ExecutionStatusField,
    Given,
    OutcomeField,
    TriggerField,
    Value,
    WaitsForField,
)

ExecutionNumber = partial(IntegerField, min_value=1)

_RESULT = {
    "type": "object",
    "properties": {"success": {}, "timestamp": {}, "error": {"type": "string"}, "value": {}},
    "required": ["success", "timestamp"],
    "additionalProperties": True,
}


class Progress(Document):
    """How far a job says that it has come."""

    done = FloatField(allow_null=True)
    total = FloatField(allow_null=True)
    percent = IntegerField(min_value=0, max_value=100, allow_null=True)
    message = CharField()
    etaSeconds = Count(allow_null=True)


class ExecutionSummary(Document):
    """An execution, as the history has it."""

    success = BooleanField(help_text="False only for one that has ended otherwise than by succeeding.")
    error = CharField(required=False, help_text="What went wrong, in one line; only there with `code`.")
    code = OutcomeField(required=False)
    jobName = CharField()
    executionId = ExecutionNumber()
    status = ExecutionStatusField()
    attempt = Count(help_text="0 before the first.")
    maxAttempts = Count()
    queuedAt = DateTimeField()
    waitsFor = WaitsForField(allow_null=True, help_text="Null unless it is queued.")
    dispatchedAt = DateTimeField(allow_null=True, help_text="When it was last handed to the broker of Celery.")
    startedAt = DateTimeField(allow_null=True, help_text="Of the latest attempt.")
    finishedAt = DateTimeField(allow_null=True)
    durationMs = Count(allow_null=True, help_text="Of the last attempt that has ended.")
    node = CharField(allow_null=True)
    trigger = TriggerField()
    requestedBy = CharField(allow_null=True, help_text="A user's name.")
    scheduledFor = DateTimeField()
    cancelRequestedAt = DateTimeField(allow_null=True)
    cancelRequestedBy = CharField(allow_null=True)
    cancelReason = CharField(allow_null=True)
    flow = ExecutionNumber(allow_null=True, help_text="The execution that its flow began with; null: itself.")
    upstream = ExecutionNumber(allow_null=True, help_text="The execution after which it ran.")
    retryOf = ExecutionNumber(allow_null=True, help_text="The execution that it repeats.")
    progress = Progress(allow_null=True)
    peakRssBytes = Count(allow_null=True)
    cpuMs = Count(allow_null=True)
    overrunning = BooleanField(help_text="It runs longer than its timeout.")
    timestamp = DateTimeField()
    url = Address()


class Execution(ExecutionSummary):
    """An execution with its result."""

    result = Value(
        _RESULT,
        allow_null=True,
        help_text="What the job returned, with `success` and `timestamp`; under `value` if it is no object. "
        "Null until the execution has ended.",
    )


class NotedExecution(Execution):
    """An execution, and why the answer is not simply that it is done."""

    note = CharField()


class ExecutionDetails(Execution):
    """An execution with all that is known of it."""

    waitsBecause = CharField(allow_null=True, help_text="Why it has not started.")
    traceback = CharField(required=False, allow_null=True, help_text="For those who may view executions.")


class FlowMember(Execution):
    """An execution, and those that began with it."""

    children = Value({"type": "array", "items": {"$ref": "#/components/schemas/FlowMember"}})


class Flow(Execution):
    """The execution at the root of a flow, with all others below it."""

    children = ListField(child=FlowMember())
    isCut = BooleanField(help_text="The flow has more executions than the 200 oldest that are shown.")


class History(Document):
    """A page of the history, newest first."""

    success = Always()
    executions = ListField(child=ExecutionSummary())
    next = Address(allow_null=True, help_text="The page that follows; null: none does.")
    timestamp = DateTimeField()


class Attempt(Document):
    """An attempt that failed or was lost."""

    attempt = Count(min_value=1)
    status = ExecutionStatusField()
    node = CharField(allow_null=True)
    startedAt = DateTimeField(allow_null=True)
    finishedAt = DateTimeField(allow_null=True)
    durationMs = Count(allow_null=True)
    errorType = CharField(allow_null=True)
    error = CharField(allow_null=True)
    traceback = CharField(allow_null=True)
    peakRssBytes = Count(allow_null=True)
    cpuMs = Count(allow_null=True)


class Attempts(Document):
    """Attempts that failed or were lost, oldest first."""

    success = Always()
    executionId = ExecutionNumber()
    attempts = ListField(child=Attempt())
    next = Address(allow_null=True, help_text="Those that follow; null: none do.")
    timestamp = DateTimeField()


class LogLine(Document):
    """A line of a log."""

    attempt = Count()
    number = Count()
    level = CharField(help_text="The name that Python's logging has for it, such as INFO.")
    message = CharField()
    data = JSONField()  # type: ignore[assignment]  # a key, not what serializers have under this name
    loggedAt = DateTimeField()


class LogLines(Document):
    """Lines of a log, in their order."""

    success = Always()
    executionId = ExecutionNumber()
    status = ExecutionStatusField()
    lines = ListField(child=LogLine())
    next = Address(help_text="What follows these lines, also while there is nothing there yet.")
    isFinal = BooleanField(help_text="The execution has ended, and these were its last lines.")
    timestamp = DateTimeField()


class Order(Given):
    """With which parameters a job is to run, and whether the answer waits for its result."""

    params = Value({"type": "object", "additionalProperties": True}, help_text="They replace the job's own, by name.")
    wait = BooleanField(default=True)


class Cancellation(Given):
    """Why an execution is called off."""

    reason = CharField(max_length=200)
