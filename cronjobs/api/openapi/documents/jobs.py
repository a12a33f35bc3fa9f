"""Jobs: what is set, what that comes to, and what comes next."""

from __future__ import annotations

from functools import partial

from rest_framework.serializers import (
    BooleanField,
    CharField,
    DateTimeField,
    FloatField,
    IntegerField,
    ListField,
)

from cronjobs.addresses import ADDRESS_MAX_LENGTH
from cronjobs.alerts import MOST_FAILURES
from cronjobs.api.jobs.columns import LARGE, SMALL
from cronjobs.api.openapi.values import (
    CONDITIONS,
    KINDS_OF_JOBS,
    NAME,
    NAMES,
    NAMES_OR_TEXT,
    Address,
    Always,
    AnyObject,
    CatchUpField,
    Conditions,
    Count,
    Document,
    ExecutorField,
    Given,
    MarkField,
    OverlapField,
    Storable,
    Texts,
    Value,
)

_TEN_YEARS = 3653 * 24 * 3600

Duration = partial(FloatField, min_value=0, max_value=_TEN_YEARS)
LongerThanNothing = partial(Value, {"type": "number", "exclusiveMinimum": 0, "maximum": _TEN_YEARS})
AtLeastOne = partial(IntegerField, min_value=1, max_value=SMALL)


class Policies(Given):
    """What decides how a job runs, and may be left to its definition and the settings: null inherits."""

    schedule = Storable(max_length=200, allow_null=True, help_text="Empty: on demand only.")
    timeZone = Storable(min_length=1, max_length=64, allow_null=True)
    jitterSeconds = Duration(allow_null=True)
    misfireGraceSeconds = Duration(allow_null=True)
    catchUp = CatchUpField(allow_null=True)
    overlap = OverlapField(allow_null=True)
    maxInstances = AtLeastOne(allow_null=True)
    queue = Storable(min_length=1, max_length=50, allow_null=True)
    priority = IntegerField(allow_null=True, min_value=1, max_value=5)
    maxAttempts = AtLeastOne(allow_null=True)
    initialDelaySeconds = Duration(allow_null=True)
    maxDelaySeconds = Duration(allow_null=True)
    backoffMultiplier = FloatField(allow_null=True, min_value=1)
    rerunLost = BooleanField(allow_null=True)
    rateLimit = Storable(min_length=1, max_length=30, allow_null=True)
    executor = ExecutorField(allow_null=True)
    timeoutSeconds = LongerThanNothing(allow_null=True)
    memoryLimitBytes = IntegerField(allow_null=True, min_value=1, max_value=LARGE)
    cpuLimitSeconds = LongerThanNothing(allow_null=True)
    dependsOn = Conditions(allow_null=True)
    alertOn = Value(KINDS_OF_JOBS, allow_null=True)
    alertTo = Value(NAMES, allow_null=True, help_text="Names of notifiers.")
    alertAfter = IntegerField(min_value=1, max_value=MOST_FAILURES, allow_null=True)
    lateAfterSeconds = LongerThanNothing(allow_null=True)
    expectedDurationSeconds = LongerThanNothing(allow_null=True)
    noSuccessAfterSeconds = LongerThanNothing(allow_null=True)
    pingUrl = Storable(
        max_length=ADDRESS_MAX_LENGTH, allow_null=True, help_text="Sent back as it is shown, it stays as it is stored."
    )
    runbookUrl = Storable(max_length=ADDRESS_MAX_LENGTH, allow_null=True)


class JobChanges(Policies):
    """What is to be changed of a job."""

    definition = Storable(max_length=100, help_text="The function that runs, by the name it is registered under.")
    params = AnyObject(help_text="As a whole; values that are sent back masked stay as they are stored.")
    enabled = BooleanField()
    paused = BooleanField()
    pausedUntil = DateTimeField(allow_null=True)
    startsAt = DateTimeField(allow_null=True)
    endsAt = DateTimeField(allow_null=True)
    calendar = Storable(allow_null=True, help_text="The name of a calendar.")
    owner = Storable(max_length=150)
    description = Storable()


class NewJob(JobChanges):
    """A job that is to be made."""

    needed = ("name", "definition")

    name = Value(NAME)


class Pause(Given):
    """Until when a job is paused; without it, until somebody resumes it."""

    until = DateTimeField(allow_null=True, help_text="A time to come.")


class EffectivePolicies(Document):
    """What the columns that may be inherited come to."""

    params = AnyObject()
    schedule = CharField(allow_null=True, help_text="Null: on demand only.")
    timeZone = CharField()
    jitterSeconds = Duration()
    misfireGraceSeconds = Duration()
    catchUp = CatchUpField()
    overlap = OverlapField()
    maxInstances = Count(min_value=1, allow_null=True, help_text="Null: any number.")
    queue = CharField()
    priority = IntegerField(min_value=1, max_value=5)
    maxAttempts = Count(min_value=1)
    initialDelaySeconds = Duration()
    maxDelaySeconds = Duration(allow_null=True, help_text="Null: there is no longest delay.")
    backoffMultiplier = FloatField(min_value=1)
    rerunLost = BooleanField()
    rateLimit = CharField(allow_null=True)
    executor = ExecutorField()
    timeoutSeconds = LongerThanNothing(allow_null=True)
    memoryLimitBytes = Count(allow_null=True)
    cpuLimitSeconds = LongerThanNothing(allow_null=True)
    dependsOn = Conditions()
    alertOn = Value(KINDS_OF_JOBS)
    alertTo = Value(NAMES, allow_null=True, help_text="Null: all notifiers.")
    alertAfter = Count(min_value=1)
    lateAfterSeconds = LongerThanNothing(allow_null=True)
    expectedDurationSeconds = LongerThanNothing(allow_null=True)
    noSuccessAfterSeconds = LongerThanNothing(allow_null=True)
    pingUrl = CharField(allow_null=True, help_text="Only its host can be read.")
    runbookUrl = CharField(allow_null=True)


class Job(Document):
    """A job: its columns as they are set, where null inherits, and what they come to."""

    name = CharField()
    definition = CharField()
    params = AnyObject(allow_null=True, help_text="Secrets are masked. Null: SQL wrote what is none.")
    enabled = BooleanField()
    paused = BooleanField()
    pausedUntil = DateTimeField(allow_null=True)
    startsAt = DateTimeField(allow_null=True)
    endsAt = DateTimeField(allow_null=True)
    calendar = CharField(allow_null=True)
    owner = CharField()
    description = CharField()
    schedule = CharField(allow_null=True)
    timeZone = CharField(allow_null=True)
    jitterSeconds = FloatField(allow_null=True)
    misfireGraceSeconds = FloatField(allow_null=True)
    catchUp = CharField(allow_null=True)
    overlap = CharField(allow_null=True)
    maxInstances = Count(allow_null=True)
    queue = CharField(allow_null=True)
    priority = Count(allow_null=True)
    maxAttempts = Count(allow_null=True)
    initialDelaySeconds = FloatField(allow_null=True)
    maxDelaySeconds = FloatField(allow_null=True)
    backoffMultiplier = FloatField(allow_null=True)
    rerunLost = BooleanField(allow_null=True)
    rateLimit = CharField(allow_null=True)
    executor = CharField(allow_null=True)
    timeoutSeconds = FloatField(allow_null=True)
    memoryLimitBytes = Count(allow_null=True)
    cpuLimitSeconds = FloatField(allow_null=True)
    dependsOn = Value(
        {"oneOf": [CONDITIONS, {"type": "string"}]}, allow_null=True, help_text="Text if it is not understood."
    )
    alertOn = Value(NAMES_OR_TEXT, allow_null=True)
    alertTo = Value(NAMES_OR_TEXT, allow_null=True)
    alertAfter = Count(allow_null=True)
    lateAfterSeconds = FloatField(allow_null=True)
    expectedDurationSeconds = FloatField(allow_null=True)
    noSuccessAfterSeconds = FloatField(allow_null=True)
    pingUrl = CharField(allow_null=True, help_text="Only its host can be read.")
    runbookUrl = CharField(allow_null=True)
    effective = EffectivePolicies(allow_null=True, help_text="Null while the job is broken.")
    isPaused = BooleanField(help_text="The job is, or everything is.")
    nextRun = DateTimeField(allow_null=True)
    broken = BooleanField()
    brokenReason = CharField(allow_null=True)
    dependencies = Conditions()
    dependents = Conditions()
    createdAt = DateTimeField(allow_null=True)
    updatedAt = DateTimeField(allow_null=True)
    url = Address()


class JobAnswer(Job):
    """A job, as the answer to a request about it."""

    success = Always()
    timestamp = DateTimeField()


class Jobs(Document):
    """Jobs by name."""

    success = Always()
    jobs = ListField(child=Job())
    next = Address(allow_null=True, help_text="Those that follow; null: none do.")
    timestamp = DateTimeField()


class Preview(Document):
    """What a schedule would do."""

    success = Always()
    expression = CharField()
    timeZone = CharField()
    description = CharField(help_text="The schedule in words.")
    fires = ListField(child=DateTimeField(), help_text="The coming due times.")
    notes = Texts(help_text="What there is to say about clock changes, and what else has a hand in them.")
    timestamp = DateTimeField()


class Fire(Document):
    """A due time, or what would be one."""

    at = DateTimeField()
    start = DateTimeField(allow_null=True, help_text="With the jitter.")
    runs = BooleanField()
    mark = MarkField(allow_null=True)
    note = CharField(allow_null=True)


class JobPreview(Preview):
    """What comes next of a job."""

    name = CharField()
    expression = CharField(allow_null=True, help_text="Null: on demand only.")
    description = CharField(allow_null=True)
    details = ListField(child=Fire(), help_text="Also those that do not run.")
