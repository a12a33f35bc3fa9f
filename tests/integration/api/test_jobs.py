"""Jobs over HTTP: looking at them, making, changing, pausing and deleting them."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework.authtoken.models import Token

from cronjobs.database import read_clock
from cronjobs.models import Calendar, Job, JobExecution, Queue
from cronjobs.models.queue import EVERYTHING
from cronjobs.scheduler.plans import sync
from tests.integration.api.callers import TIME, Caller, assert_error, document, grant
from tests.integration.conftest import CALLABLES

pytestmark = pytest.mark.django_db

EVERY_COLUMN = {
    "definition": "succeeds",
    "schedule": "@daily",
    "timeZone": "Europe/Berlin",
    "params": {"value": [1, {"a": None}]},
    "enabled": False,
    "paused": True,
    "pausedUntil": "2036-01-02T03:04:05.000Z",
    "startsAt": "2026-01-01T00:00:00.000Z",
    "endsAt": "2037-01-01T00:00:00.000Z",
    "jitterSeconds": 1.5,
    "calendar": "holidays",
    "misfireGraceSeconds": 60,
    "catchUp": "all",
    "overlap": "allow",
    "maxInstances": 3,
    "queue": "heavy",
    "priority": 5,
    "maxAttempts": 7,
    "initialDelaySeconds": 2,
    "maxDelaySeconds": 20,
    "backoffMultiplier": 1.25,
    "rerunLost": True,
    "rateLimit": "10/m",
    "executor": "process",
    "timeoutSeconds": 30,
    "memoryLimitBytes": 268435456,
    "cpuLimitSeconds": 10,
    "dependsOn": {"noop": "always"},
    "alertOn": ["failing", "lost"],
    "alertTo": [],
    "alertAfter": 3,
    "lateAfterSeconds": 60,
    "expectedDurationSeconds": 90.5,
    "noSuccessAfterSeconds": 86400,
    "pingUrl": "https://hc.example.com/***",
    "runbookUrl": "https://wiki.example.com/noop",
    "owner": "ann",
    "description": "Does it.",
}


@pytest.fixture
def editor(django_user_model: Any) -> Caller:
    """Somebody who may look at, make, change and delete jobs."""
    user = django_user_model.objects.create_user("eddie")
    grant(user, "view_job", "add_job", "change_job", "delete_job")
    return Caller(user)


@pytest.fixture
def noop(make_job):
    """The only job there is, but for those of a test's own."""
    Job.objects.all().delete()
    return make_job("noop", schedule="@hourly")


def rows():
    return list(Job.objects.order_by("pk").values())


def entries():
    return list(LogEntry.objects.order_by("pk").values_list("user__username", "action_flag", "object_repr"))


def test_a_job_is_shown_with_what_is_set_and_what_that_comes_to(viewer, noop, make_job):
    make_job("succeeds", name="after", depends_on="noop:always", schedule=None)
    sync(read_clock("default"))

    found = document(viewer.get("/cron/jobs/noop"))

    assert (found["success"], found["name"], found["definition"]) == (True, "noop", "noop")
    assert (found["schedule"], found["timeZone"], found["maxAttempts"]) == ("@hourly", None, None)
    assert found["effective"]["timeZone"] == "UTC"
    assert found["effective"]["overlap"] == "allow"
    assert set(found["effective"]) <= set(EVERY_COLUMN)
    assert set(EVERY_COLUMN) <= set(found)
    assert TIME.fullmatch(found["nextRun"])
    assert (found["isPaused"], found["broken"], found["brokenReason"]) == (False, False, None)
    assert (found["dependencies"], found["dependents"]) == ({}, {"after": "always"})
    assert document(viewer.get(found["url"]))["name"] == "noop"
    after = document(viewer.get("/cron/jobs/after/"))
    assert (after["dependsOn"], after["dependencies"], after["nextRun"]) == ({"noop": "always"},) * 2 + (None,)


def test_a_broken_job_says_why_and_hides_nothing_else(viewer, noop):
    Job.objects.update(time_zone="Mars/Base", depends_on="???")

    (found,) = document(viewer.get("/cron/jobs"))["jobs"]

    assert found["broken"] is True
    assert "Mars/Base" in found["brokenReason"]
    assert (found["effective"], found["timeZone"], found["dependsOn"]) == (None, "Mars/Base", "???")
    assert document(viewer.get("/cron/jobs/noop"))["broken"] is True
    assert_error(viewer.get("/cron/jobs/noop/preview"), 409, "job_broken")


def test_secrets_in_parameters_are_masked(viewer, noop):
    Job.objects.update(params={"password": "hunter2", "url": "https://ann:hunter2@example.org"})

    for path in ("/cron/jobs", "/cron/jobs/noop"):
        answer = viewer.get(path)
        assert "hunter2" not in answer.content.decode()
        assert '"password":"***"' in answer.content.decode()


def test_everything_paused_is_said_of_each_job(viewer, noop):
    sync(read_clock("default"))
    Queue.objects.named(EVERYTHING).pause()

    found = document(viewer.get("/cron/jobs/noop"))

    assert (found["paused"], found["isPaused"], found["nextRun"]) == (False, True, None)


def test_the_list_is_read_in_pages_by_name(viewer, noop, make_job):
    for number in range(5):
        make_job("noop", name=f"noop-{number}")
    names = [f"noop-{number}" for number in range(5)]

    pages, address = [], "/cron/jobs/?limit=2"
    while address is not None:
        page = document(viewer.get(address))
        pages.append([each["name"] for each in page["jobs"]])
        address = page["next"]

    assert pages == [["noop", *names[:1]], names[1:3], names[3:]]
    assert document(viewer.get("/cron/jobs?after=zzz"))["jobs"] == []


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=x", "limit=-1", "limit=²", "after=%00", "after=" + "n" * 256, "page=2"]
)
def test_a_page_that_cannot_be_meant_is_refused(viewer, noop, query):
    found = assert_error(viewer.get(f"/cron/jobs?{query}"), 400, "invalid_parameters")

    assert set(found["errors"]) == {query.partition("=")[0]}


def test_the_list_asks_as_often_for_10_100_and_1000_jobs(viewer):
    Job.objects.all().delete()
    calendar = Calendar.objects.create(name="holidays", dates=["2026-12-25"])
    counts = []
    for count in (10, 100, 1000):
        Job.objects.bulk_create(
            Job(name=f"job-{number}", definition="noop", schedule="*/5 * * * *", calendar=calendar, depends_on=None)
            for number in range(Job.objects.count(), count)
        )
        while Job.objects.stale().exists():
            sync(read_clock("default"))
        viewer.get("/cron/jobs?limit=1")
        with CaptureQueriesContext(connection) as captured:
            answer = document(viewer.get("/cron/jobs?limit=1000"))
        assert len(answer["jobs"]) == count
        assert all(each["nextRun"] for each in answer["jobs"])
        counts.append(len(captured))

    assert counts[0] == counts[1] == counts[2] <= 15


def test_a_job_is_made_of_every_column(editor, noop):
    Calendar.objects.create(name="holidays", dates=["2026-12-25"])

    answer = editor.post("/cron/jobs", {"name": "mine", **EVERY_COLUMN})

    made = document(answer)
    assert answer.status_code == 201, made
    assert answer["Location"] == made["url"] == "/cron/jobs/mine"
    assert {key: made[key] for key in EVERY_COLUMN} == EVERY_COLUMN
    assert document(editor.get("/cron/jobs/mine/"))["effective"]["rateLimit"] == "10/m"
    job = Job.objects.get(name="mine")
    assert (job.jitter, job.depends_on, job.memory_limit) == (timedelta(seconds=1.5), "noop:always", 2**28)
    assert entries() == [("eddie", ADDITION, "mine")]
    assert document(editor.patch("/cron/jobs/mine", EVERY_COLUMN))["updatedAt"] == made["updatedAt"]
    assert len(entries()) == 1


def test_a_job_inherits_what_is_not_said(editor, noop):
    made = document(editor.post("/cron/jobs/", {"name": "mine", "definition": "noop"}))

    assert {made[key] for key in ("schedule", "timeZone", "queue", "dependsOn", "timeoutSeconds")} == {None}
    assert (made["params"], made["enabled"], made["owner"]) == ({}, True, "")


def test_a_name_is_taken_once(editor, noop):
    before = rows()

    assert_error(editor.post("/cron/jobs", {"name": "noop", "definition": "noop"}), 409, "job_exists")

    assert (rows(), entries()) == (before, [])


NAMES = [
    "reports/daily", "a.b", "x y", "nächtlich 日報", "..", "a%2Fb", "?q", "<b>", "n" * 255, "", "-", "A", "a\x00b",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_no_address_could_have_is_refused(editor, noop, name):
    before = rows()

    found = assert_error(editor.post("/cron/jobs", {"name": name, "definition": "noop"}), 400, "invalid")

    assert list(found["errors"]) == ["name"]
    assert (rows(), entries()) == (before, [])
    assert editor.get("/cron/jobs").status_code == 200


@pytest.mark.parametrize("name", ["reports%2Fdaily", "a.b", "x%20y", "%00", "n" * 255, "nobody", "%F0%9F%98%80"])
@pytest.mark.parametrize("what", ["", "/pause", "/resume", "/skip-next", "/preview"])
def test_a_name_that_no_job_has_is_not_found(editor, noop, name, what):
    method = editor.get if what in ("", "/preview") else editor.post

    assert_error(method(f"/cron/jobs/{name}{what}"), 404, "job_not_found")
    if not what:
        assert_error(editor.patch(f"/cron/jobs/{name}", {}), 404, "job_not_found")
        assert_error(editor.delete(f"/cron/jobs/{name}"), 404, "job_not_found")


@pytest.mark.parametrize("path", CALLABLES)
def test_only_what_the_code_registers_can_be_scheduled(editor, noop, sentinel, path):
    before = rows()

    created = editor.post("/cron/jobs", {"name": "mine", "definition": path})
    changed = editor.patch("/cron/jobs/noop", {"definition": path})

    for answer in (created, changed):
        assert list(assert_error(answer, 400, "invalid")["errors"]) == ["definition"]
    assert not sentinel.exists()
    assert "sentinel_module" not in sys.modules
    assert rows() == before


MISTAKES = [
    ("name", "other"), ("id", 1), ("broken_reason", "x"), ("stale", 0), ("", 1),
    ("definition", None), ("definition", "nobody"), ("definition", 7),
    ("schedule", "61 * * * *"), ("schedule", 5), ("schedule", "a\x00b"), ("schedule", "@daily " * 40),
    ("timeZone", "Mars/Base"), ("timeZone", ""),
    ("params", None), ("params", []), ("params", {"surprise": 1}), ("params", {"a": "\x00"}),
    ("enabled", None), ("enabled", 1), ("enabled", "true"), ("paused", None),
    ("pausedUntil", "2036-01-01T00:00:00Z"), ("startsAt", "tomorrow"), ("startsAt", "2026-01-01T00:00:00"),
    ("startsAt", 1767225600), ("endsAt", "0001-01-01T00:00:00Z"),
    ("jitterSeconds", -1), ("jitterSeconds", "5"), ("jitterSeconds", True), ("timeoutSeconds", 0),
    ("timeoutSeconds", 1e300), ("timeoutSeconds", 10**400), ("misfireGraceSeconds", 1e10),
    ("calendar", "nowhere"), ("calendar", 1), ("calendar", "\ud800"),
    ("catchUp", "sometimes"), ("overlap", ""), ("overlap", "never"), ("maxInstances", 0), ("maxInstances", 1.5),
    ("maxInstances", 2**15), ("maxAttempts", 2**15), ("memoryLimitBytes", 2**63), ("maxAttempts", 1e300),
    ("queue", "a,b"), ("queue", "*"), ("priority", 6), ("priority", "high"), ("maxAttempts", 0),
    ("backoffMultiplier", 0.5), ("backoffMultiplier", 10**400), ("rerunLost", "no"), ("rateLimit", "lots"),
    ("executor", "moon"), ("memoryLimitBytes", 0), ("memoryLimitBytes", -5), ("memoryLimitBytes", 2**70),
    ("cpuLimitSeconds", 0), ("dependsOn", "succeeds"), ("dependsOn", {"nobody": "success"}),
    ("dependsOn", {"noop": "success"}), ("dependsOn", {"succeeds": "sometimes"}), ("dependsOn", {"a b": None}),
    ("alertOn", "failing"), ("alertOn", ["falling"]), ("alertOn", ["node_gone"]), ("alertOn", ["lost", "lost"]),
    ("alertOn", [1]), ("alertTo", "ops"), ("alertTo", ["n" * 51]), ("alertTo", ["none", "ops"]),
    ("alertAfter", 0), ("alertAfter", 101), ("lateAfterSeconds", 0), ("expectedDurationSeconds", -1),
    ("noSuccessAfterSeconds", "1d"), ("pingUrl", "ftp://example.com"), ("pingUrl", "https://user:pw@example.com/x"),
    ("pingUrl", "https://"), ("pingUrl", "https://example.com:99999/"), ("runbookUrl", "javascript:alert(1)"),
    ("runbookUrl", "https://example.com/" + "x" * 500), ("owner", None), ("owner", "n" * 151), ("description", 1),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value"), MISTAKES, ids=[f"{key}={value!r:.20}" for key, value in MISTAKES])
def test_what_cannot_be_meant_is_refused_with_its_key_and_changes_nothing(editor, noop, make_job, key, value):
    make_job("succeeds")
    before = rows()

    for body in ({key: value}, {"owner": "somebody else", key: value}):
        found = assert_error(editor.patch("/cron/jobs/noop", body), 400, "invalid")
        assert list(found["errors"]) == [key]
    if key != "name":
        created = {"name": "mine", "definition": "noop", key: value}
        if key != "dependsOn" or value != {"noop": "success"}:
            assert key in assert_error(editor.post("/cron/jobs", created), 400, "invalid")["errors"]

    assert (rows(), entries()) == (before, [])


BODIES = [b"[]", b"{", b"null", b"1", b'"x"', b"\xff", b'{"owner": NaN}', b"{'owner': 1}", b"[" * 100_000, b"owner=1"]


@pytest.mark.parametrize("body", BODIES, ids=[repr(each[:12]) for each in BODIES])
def test_what_is_no_object_is_refused_and_changes_nothing(editor, noop, body):
    before = rows()

    assert_error(editor.patch("/cron/jobs/noop", body), 400, "invalid_body")
    for path in ("/cron/jobs", "/cron/jobs/noop/pause", "/cron/jobs/noop/resume", "/cron/jobs/noop/skip-next"):
        assert_error(editor.post(path, body), 400, "invalid_body")

    assert (rows(), entries(), JobExecution.objects.count()) == (before, [], 0)


def test_a_job_needs_a_name_and_a_definition(editor, noop):
    assert set(assert_error(editor.post("/cron/jobs"), 400, "invalid")["errors"]) == {"name", "definition"}


def test_only_what_is_named_is_changed_and_recorded(editor, noop):
    sync(read_clock("default"))
    before = rows()[0]

    found = document(editor.patch("/cron/jobs/noop", {"schedule": "@daily", "timeoutSeconds": None, "owner": ""}))

    assert (found["schedule"], found["effective"]["schedule"]) == ("@daily", "0 0 * * *")
    after = rows()[0]
    assert {key for key in after if after[key] != before[key]} == {"schedule", "updated_at", "stale"}
    assert entries() == [("eddie", CHANGE, "noop")]
    assert json.loads(LogEntry.objects.get().change_message) == [
        {"changed": {"fields": ["schedule"], "values": {"schedule": ["@hourly", "@daily"]}}}
    ]
    assert list(Job.objects.stale().values_list("name", flat=True)) == ["noop"]


def test_null_inherits_and_an_empty_schedule_is_on_demand_only(editor, noop):
    assert document(editor.patch("/cron/jobs/noop", {"schedule": ""}))["schedule"] == ""
    assert document(editor.patch("/cron/jobs/noop", {"schedule": None}))["schedule"] is None
    assert document(editor.patch("/cron/jobs/noop", {"dependsOn": {}}))["dependsOn"] == {}
    assert document(editor.patch("/cron/jobs/noop", {"dependsOn": None}))["dependsOn"] is None


def test_masked_values_that_are_sent_back_stay_what_they_were(editor, define):
    name = define(lambda context, **options: None)
    stored = {"token": "s3cr3t", "nested": [{"password": "hunter2"}], "days": 1}
    Job.objects.filter(name=name).update(params=stored)

    shown = document(editor.get(f"/cron/jobs/{name}"))["params"]
    assert "hunter2" not in json.dumps(shown)
    document(editor.patch(f"/cron/jobs/{name}", {"params": {**shown, "days": 2}}))
    assert Job.objects.get(name=name).params == {**stored, "days": 2}
    assert len(entries()) == 1

    document(editor.patch(f"/cron/jobs/{name}", {"params": shown | {"days": 2, "token": "new"}}))
    assert Job.objects.get(name=name).params == {**stored, "days": 2, "token": "new"}
    assert "new" not in editor.get(f"/cron/jobs/{name}").content.decode().partition('"params"')[2].partition("}")[0]


def test_parameters_that_python_takes_for_the_same_are_changed(editor, make_job):
    make_job("succeeds", params={"value": 1})

    assert document(editor.patch("/cron/jobs/succeeds", {"params": {"value": True}}))["params"]["value"] is True
    assert Job.objects.get(name="succeeds").params["value"] is True


def test_a_project_without_the_admin_changes_jobs_all_the_same(editor, noop, settings):
    settings.INSTALLED_APPS = [each for each in settings.INSTALLED_APPS if each != "django.contrib.admin"]

    assert document(editor.patch("/cron/jobs/noop", {"owner": "ann"}))["owner"] == "ann"
    assert not LogEntry.objects.exists()


def test_a_broken_job_can_be_disabled_and_mended(editor, noop):
    Job.objects.update(definition="gone", time_zone="Mars/Base")

    assert document(editor.patch("/cron/jobs/noop", {"enabled": False}))["enabled"] is False
    assert_error(editor.patch("/cron/jobs/noop", {"timeZone": "Venus/Base"}), 400, "invalid")
    mended = document(editor.patch("/cron/jobs/noop", {"definition": "noop", "timeZone": None}))
    assert (mended["broken"], mended["enabled"]) == (False, False)


def test_a_pause_ends_with_its_end(editor, noop):
    until = "2036-01-01T00:00:00.000Z"
    document(editor.patch("/cron/jobs/noop", {"paused": True, "pausedUntil": until}))
    assert document(editor.patch("/cron/jobs/noop", {"paused": False}))["pausedUntil"] is None
    assert_error(editor.patch("/cron/jobs/noop", {"paused": False, "pausedUntil": until}), 400, "invalid")


def test_a_job_that_the_code_defines_is_not_deleted(editor, noop):
    before = rows()

    assert "disable" in assert_error(editor.delete("/cron/jobs/noop"), 409, "has_definition")["error"]

    assert (rows(), entries()) == (before, [])


def test_a_deleted_job_leaves_its_history(editor, make_job):
    make_job("noop", name="mine")
    execution = JobExecution.objects.request("mine")

    answer = editor.delete("/cron/jobs/mine/")

    assert (answer.status_code, answer.content) == (204, b"")
    assert not Job.objects.filter(name="mine").exists()
    assert JobExecution.objects.filter(pk=execution.pk, job_name="mine").exists()
    assert entries() == [("eddie", DELETION, "mine")]
    assert_error(editor.delete("/cron/jobs/mine"), 404, "job_not_found")


def test_pausing_and_resuming(editor, noop):
    until = "2036-01-01T00:00:00.000Z"

    assert document(editor.post("/cron/jobs/noop/pause"))["paused"] is True
    assert document(editor.post("/cron/jobs/noop/pause/"))["pausedUntil"] is None
    assert len(entries()) == 1
    found = document(editor.post("/cron/jobs/noop/pause", {"until": until}))
    assert (found["paused"], found["pausedUntil"], found["isPaused"]) == (True, until, True)
    found = document(editor.post("/cron/jobs/noop/resume"))
    assert (found["paused"], found["pausedUntil"], found["isPaused"]) == (False, None, False)
    document(editor.post("/cron/jobs/noop/resume/"))

    assert entries() == [("eddie", CHANGE, "noop")] * 3


@pytest.mark.parametrize("body", [{"until": "2020-01-01T00:00:00Z"}, {"until": 5}, {"till": None}, {"until": "soon"}])
def test_a_pause_that_cannot_be_meant_is_refused(editor, noop, body):
    before = rows()

    assert list(assert_error(editor.post("/cron/jobs/noop/pause", body), 400, "invalid")["errors"]) == list(body)

    assert (rows(), entries()) == (before, [])


def test_the_next_occurrence_is_skipped(editor, noop):
    coming = document(editor.get("/cron/jobs/noop/preview?count=2"))["fires"]

    answer = editor.post("/cron/jobs/noop/skip-next")

    skipped = document(answer)
    assert answer.status_code == 201
    assert (skipped["status"], skipped["scheduledFor"], skipped["requestedBy"]) == ("skipped", coming[0], "eddie")
    preview = document(editor.get("/cron/jobs/noop/preview?count=1"))
    assert preview["fires"] == coming[1:]
    assert [each["runs"] for each in preview["details"]] == [False, True]


def test_what_never_comes_cannot_be_skipped(editor, noop):
    document(editor.patch("/cron/jobs/noop", {"schedule": ""}))

    assert_error(editor.post("/cron/jobs/noop/skip-next"), 409, "nothing_to_skip")

    preview = document(editor.get("/cron/jobs/noop/preview/"))
    assert (preview["expression"], preview["fires"]) == (None, [])
    assert preview["notes"]
    assert_error(editor.get("/cron/jobs/noop/preview?count=0"), 400, "invalid_parameters")


def test_a_session_changes_nothing_without_a_csrf_token(noop, django_user_model):
    django_user_model.objects.create_superuser("sue", password="secret")
    browser = Client(enforce_csrf_checks=True)
    browser.login(username="sue", password="secret")
    before = rows()

    for answer in (
        browser.patch("/cron/jobs/noop", "{}", content_type="application/json"),
        browser.delete("/cron/jobs/noop"),
        browser.post("/cron/jobs/noop/pause"),
        browser.post("/cron/jobs", {"name": "mine", "definition": "noop"}, content_type="application/json"),
        browser.post("/cron/pause"),
    ):
        assert_error(answer, 403, "permission_denied")

    assert (rows(), entries()) == (before, [])
    assert not Queue.objects.filter(paused=True).exists()


def test_looking_writes_nothing(viewer, noop):
    with CaptureQueriesContext(connection) as captured:
        for path in ("jobs", "jobs/noop", "jobs/noop/preview"):
            assert viewer.get(f"/cron/{path}").status_code == 200

    assert all(each["sql"].startswith("SELECT") for each in captured)


STRANGE = ["reports/daily", "a.b", "x y", "nächtlich 日報", "..", "a%2Fb", "?q", "<b>", ""]


@pytest.mark.parametrize("name", STRANGE)
def test_a_name_that_sql_has_written_stops_no_list(viewer, noop, make_job, name):
    make_job("noop", name=name)

    jobs = document(viewer.get("/cron/jobs"))["jobs"]

    assert sorted(each["name"] for each in jobs) == sorted(["noop", name])
    assert document(viewer.get("/cron/jobs/noop"))["name"] == "noop"


@pytest.mark.parametrize("after", ["\U0001f600", "日報", "%", "'", "n" * 255])
def test_a_page_may_begin_after_any_text(viewer, noop, after):
    assert viewer.get(f"/cron/jobs?after={quote(after)}").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_two_that_make_the_same_job_make_one(django_user_model):
    user = django_user_model.objects.create_superuser("sue")
    token = Token.objects.create(user=user).key
    together = Barrier(4)

    def make(number):
        together.wait()
        try:
            headers = {"Authorization": f"Token {token}"}
            body = {"name": "mine", "definition": "noop", "owner": str(number)}
            return Client().post("/cron/jobs", body, content_type="application/json", headers=headers)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(make, range(4)))

    assert sorted(each.status_code for each in answers) == [201, 409, 409, 409]
    (made,) = [document(each) for each in answers if each.status_code == 201]
    assert Job.objects.get(name="mine").owner == made["owner"]
    assert LogEntry.objects.count() == 1
