"""How far an execution has come, over HTTP."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from cronjobs.models import JobExecution
from tests.integration.api.callers import document

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("status", "is_estimated"), [("running", True), ("failed", False), ("queued", False)])
def test_the_document_says_how_far_it_is(operator, status, is_estimated):
    execution = JobExecution.objects.request("succeeds")
    started = timezone.now() - timedelta(minutes=10)
    progress = {"done": 1, "total": 4, "message": "rows", "at": "2026-01-15T12:00:00.000Z"}
    JobExecution.objects.filter(pk=execution.pk).update(status=status, started_at=started, progress=progress)

    found = document(operator.get(f"/cron/executions/{execution.pk}"))["progress"]

    left = found.pop("etaSeconds")
    assert left in range(1795, 1815) if is_estimated else left is None
    assert found == {"done": 1, "total": 4, "percent": 25, "message": "rows"}
