"""What is measured: how jobs did, how the installation is, and how many conversations there are."""

from __future__ import annotations

from cronjobs.api.errors import ErrorCode
from cronjobs.api.figures.conversations import LegacyConversationsView
from cronjobs.api.figures.metrics import MetricsView
from cronjobs.api.figures.stats import MOST_JOBS, StatsView
from cronjobs.api.openapi.documents.figures import (
    Conversations,
    Health,
    NotScheduling,
    Scheduling,
    Stats,
    Unhealthy,
)
from cronjobs.api.openapi.examples import figures as examples
from cronjobs.api.openapi.operations import Answer, Operation, Operations
from cronjobs.api.openapi.parameters import SOME_NAME, limit, query
from cronjobs.api.openapi.values import NAME
from cronjobs.api.site.health import HealthView, SchedulingView
from cronjobs.jobs._values import MAX_MINUTES

_FIGURES, _PROBES = "Figures", "Probes"

_TIME = {"type": "string", "format": "date-time"}
_TEXT = {"type": "string"}

OPERATIONS: Operations = {
    (StatsView, "GET"): Operation(
        id="getStats",
        tag=_FIGURES,
        summary="How each job did in each hour or day",
        parameters=(
            query("job", NAME, "Only this job.", example="send-digest"),
            query("since", _TIME, "From when on; the last 24 hours if left out.", example="2026-03-01T06:00:00Z"),
            query("until", _TIME, "Until when; what is to come counts as now.", example="2026-03-02T06:00:00Z"),
            query(
                "period",
                {"type": "string", "enum": ["hour", "day"], "default": "hour"},
                "Hours, for 31 days at most; or days, for 366.",
            ),
            query("timeZone", _TEXT, "By whose clock hours and days begin: an IANA name.", example="Europe/Berlin"),
            query("after", SOME_NAME, "Only the jobs after this name."),
            limit(MOST_JOBS, MOST_JOBS),
        ),
        answers={200: Answer(meaning="The figures.", document=Stats, example=examples.STATS)},
        errors=(ErrorCode.INVALID_PARAMETERS, ErrorCode.JOB_NOT_FOUND),
    ),
    (LegacyConversationsView, "GET"): Operation(
        id="countLegacyConversations",
        tag=_FIGURES,
        summary="How many conversations MongoDB has",
        parameters=(
            query(
                "minutes",
                {"type": "integer", "minimum": 1, "maximum": MAX_MINUTES},
                "How long ago what is old was created, at least; `LEGACY_MINUTES` if left out.",
                example=10,
            ),
        ),
        answers={200: Answer(meaning="The counts.", document=Conversations, example=examples.CONVERSATIONS)},
        errors=(
            ErrorCode.INVALID_PARAMETERS,
            ErrorCode.MONGODB_NOT_CONFIGURED,
            ErrorCode.MONGODB_UNAVAILABLE,
        ),
    ),
    (MetricsView, "GET"): Operation(
        id="getMetrics",
        tag=_FIGURES,
        summary="Text for a Prometheus server",
        answers={
            200: Answer(
                meaning="The metrics.",
                others={"text/plain": _TEXT, "application/openmetrics-text": _TEXT},
            )
        },
        errors=(ErrorCode.INVALID_PARAMETERS,),
    ),
    (HealthView, "GET"): Operation(
        id="getHealth",
        tag=_PROBES,
        summary="How every part of the installation is",
        answers={200: Answer(meaning="All of them work.", document=Health, example=examples.HEALTH)},
        errors=(ErrorCode.INVALID_PARAMETERS,),
        reports={ErrorCode.UNHEALTHY: Unhealthy},
    ),
    (SchedulingView, "GET"): Operation(
        id="isScheduling",
        tag=_PROBES,
        summary="Whether a node is alive and ticks, and none is stuck",
        answers={200: Answer(meaning="It does.", document=Scheduling, example=examples.SCHEDULING)},
        errors=(ErrorCode.INVALID_PARAMETERS,),
        reports={ErrorCode.NOT_SCHEDULING: NotScheduling},
    ),
}
