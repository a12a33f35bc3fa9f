"""What the code defines: the functions that can be jobs, what they take, and their defaults."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from cronjobs import permissions
from cronjobs.addresses import hidden_address
from cronjobs.api.jobs.columns import seconds
from cronjobs.api.jobs.schemas import parameter_schema
from cronjobs.api.requests.queries import Query
from cronjobs.api.views import CronView
from cronjobs.registry import JobDefinition, registry
from cronjobs.retries import RetryPolicy
from cronjobs.storable import rfc3339


class DefinitionsView(CronView):
    """``GET definitions``: every definition by name, with the JSON Schema of its parameters.

    ``defaults`` are those of the code: null where the settings decide, and a job may have others.
    """

    permissions = (permissions.VIEW_JOBS,)

    def get(self, request: Request) -> Response:
        Query(request, known=()).done()
        document = {
            "success": True,
            "definitions": {each.name: _document(each) for each in registry},
            "timestamp": rfc3339(timezone.now()),
        }
        return Response(document)


def _document(definition: JobDefinition) -> dict[str, Any]:
    schedule = definition.schedule
    return {
        "description": definition.description,
        "schedule": None if schedule is None else str(schedule),
        "scheduleDescription": None if schedule is None else schedule.describe(),
        "timeZone": definition.time_zone,
        "available": registry.is_available(definition),
        "parameters": parameter_schema(definition),
        "defaults": _defaults(definition),
    }


def _defaults(definition: JobDefinition) -> dict[str, Any]:
    return {
        "queue": definition.queue,
        "priority": definition.priority,
        "overlap": definition.overlap,
        "maxInstances": definition.max_instances,
        "retry": None if definition.retry is None else _retry(definition.retry),
        "jitterSeconds": seconds(definition.jitter),
        "misfireGraceSeconds": seconds(definition.misfire_grace),
        "catchUp": definition.catch_up,
        "rerunLost": definition.rerun_lost,
        "executor": definition.executor,
        "timeoutSeconds": seconds(definition.timeout),
        "cpuLimitSeconds": seconds(definition.cpu_limit),
        "memoryLimitBytes": definition.memory_limit,
        "rateLimit": None if definition.rate_limit is None else str(definition.rate_limit),
        "dependsOn": dict(definition.depends_on),
        "alertOn": None if definition.alerts.on is None else list(definition.alerts.on),
        "alertTo": None if definition.alerts.to is None else list(definition.alerts.to),
        "alertAfter": definition.alerts.after,
        "lateAfterSeconds": seconds(definition.alerts.late_after),
        "expectedDurationSeconds": seconds(definition.alerts.expected_duration),
        "noSuccessAfterSeconds": seconds(definition.alerts.no_success_after),
        "pingUrl": hidden_address(definition.ping_url) or None,
        "runbookUrl": definition.runbook_url or None,
    }


def _retry(policy: RetryPolicy) -> dict[str, Any]:
    return {
        "maxAttempts": policy.max_attempts,
        "initialDelaySeconds": seconds(policy.initial_delay),
        "maxDelaySeconds": seconds(policy.max_delay),
        "backoffMultiplier": policy.backoff_multiplier,
        "jitter": policy.jitter,
    }
