"""Who may do what with jobs and queues: every address, every method, every kind of caller."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry

from cronjobs.api.urls import urlpatterns
from cronjobs.models import Job, JobExecution, Queue
from tests.integration.api.callers import Caller, assert_error, grant

pytestmark = pytest.mark.django_db

GRANTED = {
    "plain": (),
    "viewer": ("view_job", "view_queue", "view_jobexecution"),
    "editor": ("view_job", "add_job", "change_job", "delete_job"),
    "operator": ("view_job", "view_queue", "run_job", "change_queue", "cancel_jobexecution", "retry_jobexecution"),
}
KINDS = ("anonymous", *GRANTED, "superuser")
MAKE = {"name": "made", "definition": "noop"}

# Rows: method and address, body. Columns: the status for each of KINDS.
TABLE: dict[tuple[str, str], tuple[Any, tuple[int, ...]]] = {
    ("get", "jobs"): (None, (401, 403, 200, 200, 200, 200)),
    ("post", "jobs"): (MAKE, (401, 403, 403, 201, 403, 201)),
    ("get", "jobs/mine"): (None, (401, 403, 200, 200, 200, 200)),
    ("patch", "jobs/mine"): ({"owner": "x"}, (401, 403, 403, 200, 403, 200)),
    ("delete", "jobs/mine"): (None, (401, 403, 403, 204, 403, 204)),
    ("post", "jobs/mine/pause"): ({}, (401, 403, 403, 200, 403, 200)),
    ("post", "jobs/mine/resume"): ({}, (401, 403, 403, 200, 403, 200)),
    ("post", "jobs/mine/skip-next"): ({}, (401, 403, 403, 201, 403, 201)),
    ("get", "jobs/mine/preview"): (None, (401, 403, 200, 200, 200, 200)),
    ("get", "schema"): (None, (401, 403, 200, 200, 200, 200)),
    ("get", "docs"): (None, (401, 403, 200, 200, 200, 200)),
    ("get", "queues"): (None, (401, 403, 200, 403, 200, 200)),
    ("patch", "queues/default"): ({"limit": 3}, (401, 403, 403, 403, 200, 200)),
    ("post", "queues/default/pause"): ({}, (401, 403, 403, 403, 200, 200)),
    ("post", "queues/default/resume"): ({}, (401, 403, 403, 403, 200, 200)),
    ("post", "pause"): ({}, (401, 403, 403, 403, 200, 200)),
    ("post", "resume"): ({}, (401, 403, 403, 403, 200, 200)),
    ("get", "stats"): (None, (401, 403, 200, 403, 403, 200)),
    ("get", "metrics"): (None, (401, 403, 200, 200, 200, 200)),
    ("post", "execute/mine"): ({}, (401, 403, 403, 403, 200, 200)),
}
# Whatever is not there is refused.
READS = ("get", "head")


def caller_of(kind, users):
    if kind == "anonymous":
        return Caller()
    user = users.create_user("somebody", is_superuser=kind == "superuser")
    grant(user, *GRANTED.get(kind, ()))
    return Caller(user)


def everything():
    return [list(model.objects.order_by("pk").values()) for model in (Job, Queue, JobExecution, LogEntry)]


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize(
    ("kind", "method", "path", "body", "status"),
    [
        pytest.param(kind, method, path, body, status, id=f"{kind}-{method}-{path}")
        for (method, path), (body, statuses) in TABLE.items()
        for kind, status in zip(KINDS, statuses, strict=True)
    ],
)
def test_the_authorisation_table(make_job, django_user_model, *, kind, method, path, body, status, slash):
    make_job("noop", name="mine", schedule="@hourly")
    Queue.objects.named("default").update(paused="resume" in path)
    Job.objects.filter(name="mine").update(paused=path == "jobs/mine/resume")
    caller = caller_of(kind, django_user_model.objects)
    before = everything()
    send = getattr(caller, method)

    answer = send(f"/cron/{path}{slash}") if body is None else send(f"/cron/{path}{slash}", body)

    assert answer.status_code == status
    if status >= 400:
        assert_error(answer, status, {401: "not_authenticated", 403: "permission_denied"}[status])
    # Resuming everything that is not paused changes nothing but makes sure of its row.
    if status >= 400 or method == "get":
        assert everything() == before
    elif path != "resume":
        assert everything() != before


def test_every_method_that_changes_something_has_a_permission_of_its_own():
    reading = {("job", "get"), ("jobs", "get")}
    for pattern in urlpatterns:
        view: Any = pattern.callback.cls
        methods = {each for each in view.http_method_names if hasattr(view, each)}
        assert set(view.permissions_by_method) <= {each.upper() for each in methods - set(READS)}
        if methods & set(READS) and methods - set(READS):
            assert {each.upper() for each in methods - set(READS)} == set(view.permissions_by_method), pattern.name
            assert (pattern.name, "get") in reading


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("jobs", ("put", "patch", "delete", "options")),
        ("jobs/mine", ("put", "post", "options")),
        ("jobs/mine/pause", ("get", "patch", "delete", "put")),
        ("jobs/mine/preview", ("post", "patch", "delete")),
        ("queues", ("post", "patch", "delete")),
        ("queues/default", ("get", "post", "put", "delete")),
        ("pause", ("get", "patch", "delete")),
        ("schema", ("post", "patch", "delete", "options")),
        ("docs", ("post", "patch", "delete", "options")),
    ],
)
def test_methods_that_no_address_knows_are_refused(make_job, django_user_model, path, methods):
    make_job("noop", name="mine")
    caller = caller_of("superuser", django_user_model.objects)
    before = everything()

    for method in methods:
        answer = getattr(caller._client, method)(f"/cron/{path}", headers=caller._headers)
        assert_error(answer, 405, "method_not_allowed")

    assert everything() == before
