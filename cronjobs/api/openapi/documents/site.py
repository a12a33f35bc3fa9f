"""What else is told: the state of everything, queues, nodes, definitions, probes, and what went wrong."""

from __future__ import annotations

from rest_framework.serializers import (
    BooleanField,
    CharField,
    DateTimeField,
    DictField,
    FloatField,
    IntegerField,
    ListField,
)

from cronjobs.api.jobs.columns import MEDIUM
from cronjobs.api.openapi.values import (
    KINDS_OF_JOBS,
    NAMES,
    Always,
    CatchUpField,
    Conditions,
    Count,
    Document,
    ErrorCodeField,
    ExecutionStatusField,
    ExecutorField,
    Given,
    Never,
    OverlapField,
    Storable,
    Value,
)


class Error(Document):
    """What every request is answered that was not served."""

    success = Never()
    error = CharField(help_text="A sentence.")
    code = ErrorCodeField()
    errors = DictField(  # type: ignore[assignment]  # a key, not what serializers have under this name
        child=ListField(child=CharField()), required=False, help_text="What is wrong, by field."
    )
    timestamp = DateTimeField()


class Yes(Document):
    """The answer of a probe."""

    success = Always()
    timestamp = DateTimeField()


class Queue(Document):
    """A queue, with what waits and what runs of it."""

    name = CharField()
    limit = Count(min_value=1, allow_null=True, help_text="How many may run at once, on all nodes; null: any number.")
    paused = BooleanField()
    waiting = Count(help_text="Nobody has begun them.")
    dispatched = Count(help_text="Of these, how many are with the broker of Celery.")
    running = Count()
    description = CharField()


class QueueAnswer(Queue):
    """A queue, as the answer to a request about it."""

    success = Always()
    timestamp = DateTimeField()


class QueueChanges(Given):
    """What is to be changed of a queue."""

    limit = IntegerField(min_value=1, max_value=MEDIUM, allow_null=True)
    description = Storable()


class Everything(Document):
    """Whether everything is paused."""

    success = Always()
    paused = BooleanField()
    pausedBecause = CharField(allow_null=True)
    timestamp = DateTimeField()


class Queues(Everything):
    """All queues, by name."""

    queues = ListField(child=Queue())


class Node(Document):
    """A `runcron` process, as it described itself last."""

    name = CharField()
    host = CharField()
    processId = Count()
    version = CharField()
    workers = Count()
    running = Count()
    state = Value({"type": "string", "enum": ["alive", "draining", "silent", "stopped"]})
    stuckThreads = ListField(
        child=CharField(), help_text="Those of its threads that have given no sign of life for STUCK_AFTER."
    )
    brokerAwaySince = DateTimeField(
        allow_null=True, help_text="Since when it could hand nothing to Celery's broker; null while it can."
    )
    brokerAwayBecause = CharField(allow_null=True)
    drainRequestedAt = DateTimeField(allow_null=True)
    drainRequestedBy = CharField(allow_null=True)
    cpuPercent = Count(
        allow_null=True, help_text="Of one processor, by its own process, between its last two heartbeats."
    )
    startedAt = DateTimeField()
    heartbeatAt = DateTimeField()
    lastTickAt = DateTimeField(allow_null=True)
    clockSkewMs = IntegerField(allow_null=True, help_text="How far its clock is ahead of the database's.")


class KnownNode(Node):
    """A node that may also have stopped, or fallen silent."""

    stoppedAt = DateTimeField(allow_null=True)
    rssBytes = Count(allow_null=True)


class NodeAnswer(KnownNode):
    """A node, as the answer to a request about it."""

    success = Always()
    timestamp = DateTimeField()


class Nodes(Document):
    """Nodes, those heard of last first."""

    success = Always()
    nodes = ListField(child=KnownNode())
    isCut = BooleanField(help_text="There are more than the 500 that are shown.")
    timestamp = DateTimeField()


class Worker(Document):
    """A Celery worker with all its processes, as it described itself last."""

    name = CharField()
    host = CharField()
    processId = Count()
    version = CharField()
    concurrency = Count(help_text="How many executions it can perform at once.")
    running = Count(help_text="How many it performs now, as these say.")
    queues = Value(NAMES, help_text="From which it takes messages.")
    state = Value(
        {"type": "string", "enum": ["alive", "draining", "silent", "stopped"]},
        help_text="One that drains finishes what it has begun, and ends.",
    )
    startedAt = DateTimeField()
    heartbeatAt = DateTimeField()
    stoppedAt = DateTimeField(allow_null=True)
    rssBytes = Count(allow_null=True, help_text="Of all its processes together.")


class Workers(Document):
    """Celery workers, those heard of last first."""

    success = Always()
    workers = ListField(child=Worker())
    isCut = BooleanField(help_text="There are more than the 500 that are shown.")
    timestamp = DateTimeField()


class CeleryStatus(Document):
    """How many Celery workers there are, and what they have before them."""

    workers = Count(help_text="Those that are alive.")
    draining = Count(help_text="Of these, those that take no more.")
    concurrency = Count(help_text="How many executions the others can perform at once.")
    dispatched = Count(help_text="How many executions are with the broker, and not begun.")


class JobStatus(Document):
    """What a job is doing."""

    running = BooleanField(help_text="It is enabled and not paused, and a node takes work.")
    scheduled = BooleanField(help_text="It has a next run.")
    enabled = BooleanField()
    paused = BooleanField()
    pausedUntil = DateTimeField(allow_null=True)
    schedule = CharField(allow_null=True)
    description = CharField(allow_null=True, help_text="The schedule in words.")
    dependsOn = Conditions()
    timeZone = CharField(allow_null=True)
    nextRun = DateTimeField(allow_null=True)
    broken = BooleanField()
    brokenReason = CharField(allow_null=True)
    lastRun = DateTimeField(allow_null=True)
    lastStatus = ExecutionStatusField(allow_null=True)
    lastDurationMs = Count(allow_null=True)
    executing = Count(help_text="How many executions of it run now.")
    overrunning = Count(help_text="How many of these run longer than their timeout.")


class Status(Document):
    """What every job and every node is doing."""

    success = Always()
    cronJobs = DictField(child=JobStatus(), help_text="By name.")
    isRunning = BooleanField(help_text="A node is alive that does not drain.")
    paused = BooleanField(help_text="Everything is paused.")
    nodes = ListField(child=Node(), help_text="Those that are alive.")
    queues = ListField(child=Queue(), help_text="Those that are paused or limited.")
    celery = CeleryStatus(allow_null=True, help_text="Null where Celery performs nothing.")
    timestamp = DateTimeField()


class Retries(Document):
    """How often a job that fails is tried again, and when."""

    maxAttempts = Count(min_value=1)
    initialDelaySeconds = FloatField(min_value=0)
    maxDelaySeconds = FloatField(min_value=0, allow_null=True)
    backoffMultiplier = FloatField(min_value=1)
    jitter = FloatField(min_value=0)


class Defaults(Document):
    """What the code says of its jobs; null leaves it to the settings."""

    queue = CharField()
    priority = IntegerField(min_value=1, max_value=5)
    overlap = OverlapField()
    maxInstances = Count(min_value=1, allow_null=True)
    retry = Retries(allow_null=True)
    jitterSeconds = FloatField(min_value=0, allow_null=True)
    misfireGraceSeconds = FloatField(min_value=0, allow_null=True)
    catchUp = CatchUpField(allow_null=True)
    rerunLost = BooleanField(allow_null=True)
    executor = ExecutorField(allow_null=True)
    timeoutSeconds = FloatField(min_value=0, allow_null=True)
    cpuLimitSeconds = FloatField(min_value=0, allow_null=True)
    memoryLimitBytes = Count(allow_null=True)
    rateLimit = CharField(allow_null=True)
    dependsOn = Conditions()
    alertOn = Value(KINDS_OF_JOBS, allow_null=True)
    alertTo = Value(NAMES, allow_null=True)
    alertAfter = Count(min_value=1, allow_null=True)
    lateAfterSeconds = FloatField(min_value=0, allow_null=True)
    expectedDurationSeconds = FloatField(min_value=0, allow_null=True)
    noSuccessAfterSeconds = FloatField(min_value=0, allow_null=True)
    pingUrl = CharField(allow_null=True)
    runbookUrl = CharField(allow_null=True)


class Definition(Document):
    """A function that can be a job."""

    description = CharField()
    schedule = CharField(allow_null=True)
    scheduleDescription = CharField(allow_null=True)
    timeZone = CharField(allow_null=True)
    available = BooleanField(help_text="What its `only_if` says.")
    parameters = Value({"type": "object", "additionalProperties": True}, help_text="A JSON Schema of `params`.")
    defaults = Defaults()


class Definitions(Document):
    """What the code defines."""

    success = Always()
    definitions = DictField(child=Definition(), help_text="By name.")
    timestamp = DateTimeField()
