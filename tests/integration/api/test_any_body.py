"""Whatever is sent to the addresses that change something: it is done, or refused and nothing is changed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cronjobs.api.columns import NEW_JOB_KEYS, QUEUE_KEYS
from cronjobs.models import Job, JobExecution, Queue
from tests.integration.api.callers import Caller, document

pytestmark = pytest.mark.django_db

TIMES = st.datetimes().map(lambda at: f"{at.isoformat()}Z")
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=300)
    | TIMES
    | st.sampled_from(["noop", "succeeds", "@daily", "allow", "1e999", "\x00", "\ud800", "default", "10/m", "UTC"])
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
)
JOBS = st.dictionaries(st.sampled_from([*NEW_JOB_KEYS, "stale", "id", "brokenReason"]), VALUES, max_size=4)
QUEUES = st.dictionaries(st.sampled_from([*QUEUE_KEYS, "paused"]), VALUES, max_size=2)
ANY = VALUES | JOBS

REQUESTS = st.one_of(
    st.tuples(
        st.just("post"), st.just("jobs"), ANY | JOBS.map(lambda each: {"name": "a", "definition": "noop"} | each)
    ),
    st.tuples(st.just("patch"), st.just("jobs/noop"), ANY | JOBS),
    st.tuples(st.just("patch"), st.just("queues/default"), ANY | QUEUES),
    st.tuples(st.just("post"), st.sampled_from(["jobs/noop/pause", "pause", "queues/default/pause"]), ANY),
    st.tuples(st.just("post"), st.just("jobs/noop/pause"), st.fixed_dictionaries({"until": VALUES | TIMES})),
)
# Sent as it is, or with a few of its bytes replaced.
DAMAGE = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=2)


@pytest.fixture
def superuser(django_user_model: Any, make_job: Any) -> Caller:
    """Somebody who may do everything, with a job to do it to."""
    Job.objects.all().delete()
    make_job("noop", schedule="@hourly")
    make_job("succeeds")
    Queue.objects.ensure()
    return Caller(django_user_model.objects.create_superuser("sue"))


def everything():
    return [list(model.objects.order_by("pk").values()) for model in (Job, Queue, JobExecution, LogEntry)]


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(request=REQUESTS, damage=DAMAGE)
def test_it_is_done_or_refused_and_nothing_is_changed(superuser, request, damage):
    method, path, value = request
    body = bytearray(json.dumps(value).encode())
    for at, byte in damage:
        body[at % len(body)] = byte
    before = everything()

    answer = getattr(superuser, method)(f"/cron/{path}", bytes(body))

    assert answer.status_code in {200, 201, 400, 409}
    found = document(answer)
    if answer.status_code >= 400:
        assert found["code"] in {"invalid_body", "invalid", "job_exists"}
        assert everything() == before
    for each in ("jobs", "jobs/noop", "queues"):
        assert superuser.get(f"/cron/{each}").status_code == 200
