"""What is measured: how jobs did, how the installation is, and how many conversations there are."""

from __future__ import annotations

from rest_framework.serializers import BooleanField, CharField, DateTimeField, DictField, FloatField, ListField

from cronjobs.api.openapi.documents.site import Error, Yes
from cronjobs.api.openapi.values import Address, Always, Count, Document, Never, Value
from cronjobs.health import Status as ProbeStatus

_NUMBER = {"type": "number", "minimum": 0}


class Outcomes(Document):
    """How many executions ended in each way."""

    succeeded = Count()
    failed = Count()
    timedOut = Count()
    skipped = Count()
    cancelled = Count()
    lost = Count()
    missed = Count()


class Durations(Document):
    """How long the last attempts took, in ms; null if nothing has run."""

    p50 = Count(allow_null=True)
    p95 = Count(allow_null=True)
    max = Count(allow_null=True)
    mean = FloatField(min_value=0, allow_null=True)


class Lateness(Document):
    """How long after their times the first attempts began, in ms; null if none has."""

    p50 = Count(allow_null=True)
    p95 = Count(allow_null=True)


class JobPeriod(Document):
    """How a job did in an hour or a day; what is counted is what ended in it."""

    since = DateTimeField()
    until = DateTimeField(help_text="The first moment that is no part of it.")
    executions = Count()
    outcomes = Outcomes()
    successRate = FloatField(
        min_value=0,
        max_value=1,
        allow_null=True,
        help_text="Of what succeeded, failed, timed out or was lost; null if nothing did.",
    )
    durationMs = Durations()
    latenessMs = Lateness()
    percentilesEstimated = BooleanField(
        help_text="Percentiles are put in proportion within buckets, since hours of roll-ups were added up."
    )
    attempts = Count()
    retries = Count()
    missedDueTimes = Count()


class JobFigures(Document):
    """A job's figures: the periods in which anything ended, oldest first."""

    jobName = CharField()
    periods = ListField(child=JobPeriod())


class Stats(Document):
    """The figures of several jobs, by name."""

    success = Always()
    since = DateTimeField()
    until = DateTimeField()
    period = Value({"type": "string", "enum": ["hour", "day"]})
    timeZone = CharField()
    jobs = ListField(child=JobFigures())
    next = Address(allow_null=True, help_text="The address of the jobs that follow; null: none do.")
    timestamp = DateTimeField()


class Conversations(Document):
    """How many conversations there are; old is what was created before `cutoff`."""

    success = Always()
    total = Count()
    active = Count()
    inactive = Count()
    oldActive = Count()
    oldInactive = Count()
    cutoff = DateTimeField()
    timestamp = DateTimeField()


def _checks() -> DictField:
    check = Value(
        {
            "type": "object",
            "properties": {
                "status": {"type": "string", "enum": [str(each) for each in ProbeStatus]},
                "message": {"type": "string"},
                "durationMs": _NUMBER,
            },
            "required": ["status", "message", "durationMs"],
            "additionalProperties": True,
        },
        component="Check",
    )
    return DictField(child=check, help_text="Each look at a part, with what it found.")


class Probes(Document):
    """What the three probes answer."""

    live = BooleanField()
    ready = BooleanField()
    scheduling = BooleanField()


class Health(Yes):
    """Every part of the installation."""

    healthy = Always()
    probes = Probes()
    unhealthy = ListField(child=CharField(), help_text="The parts that do not work.")
    warnings = ListField(child=CharField(), help_text="The parts that work, and that somebody should look at.")
    checks = _checks()


class Unhealthy(Error):
    """Every part of the installation, of which one does not work."""

    healthy = Never()
    probes = Probes()
    unhealthy = ListField(child=CharField())
    warnings = ListField(child=CharField())
    checks = _checks()


class Scheduling(Yes):
    """A node is alive and ticks, none is stuck, and what is due is decided."""

    paused = BooleanField(help_text="Everything is paused, which is a decision and no fault.")
    pausedBecause = CharField(allow_null=True)
    checks = _checks()


class NotScheduling(Error):
    """Nothing fires, or a node is stuck."""

    checks = _checks()
