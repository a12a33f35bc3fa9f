"""Each event of the security log happens for real, by every door that leads to it, and is one record with the same fields."""

from __future__ import annotations

import json
import logging
import re
from contextlib import suppress
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from cronjobs import security
from cronjobs.api.requests.actors import forget_uses
from cronjobs.models import ApiKey, Job, JobExecution, Queue
from cronjobs.security import FIELDS, Actor, ActorKind, Event
from tests.documentation import SECURITY
from tests.integration.happenings import ADDRESS, action, admin, api, form, make_site, nobody, shell

pytestmark = pytest.mark.django_db

STANDARD = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"}

# By event: whom or what it is about, and everything that leads to it.
HAPPENINGS: dict[Event, tuple[Any, ...]] = {
    Event.REQUEST_REFUSED: ("", nobody("status")),
    Event.REFUSED_REPEATEDLY: ("", nobody("status", times=12)),
    Event.JOB_CREATED: (
        "new",
        api("post", "jobs", name="new", definition="noop"),
        form("job/add/", name="new", definition="noop"),
    ),
    Event.JOB_RESCHEDULED: (
        "report",
        api("patch", "jobs/report", schedule="@hourly", owner="ops"),
        form("job/{report}/change/", schedule="@hourly"),
        admin("job/{report}/defaults/", column="schedule"),
    ),
    Event.JOB_CHANGED: ("report", api("patch", "jobs/report", owner="ops"), form("job/{report}/change/", owner="ops")),
    Event.JOB_PAUSED: (
        "report",
        api("post", "jobs/report/pause"),
        api("patch", "jobs/report", paused=True),
        admin("job/{report}/pause/"),
        action("pause", "job", "report"),
        shell("cronpause", "report"),
    ),
    Event.JOB_RESUMED: (
        "paused",
        api("post", "jobs/paused/resume"),
        admin("job/{paused}/resume/"),
        shell("cronresume", "paused"),
    ),
    Event.JOB_ENABLED: ("disabled", api("patch", "jobs/disabled", enabled=True), admin("job/{disabled}/enable/")),
    Event.JOB_DISABLED: ("report", api("patch", "jobs/report", enabled=False), action("disable", "job", "report")),
    Event.JOB_DELETED: (
        "report",
        api("delete", "jobs/report"),
        admin("job/{report}/delete/", post="yes"),
        action("delete_selected", "job", "report"),
    ),
    Event.CALENDAR_CREATED: ("new", admin("calendar/add/", name="new", dates="2026-12-25")),
    Event.CALENDAR_CHANGED: ("holidays", admin("calendar/{calendar}/change/", name="holidays", dates="2026-12-25")),
    Event.CALENDAR_DELETED: ("holidays", admin("calendar/{calendar}/delete/", post="yes")),
    Event.QUEUE_CREATED: ("light", admin("queue/add/", name="light", limit="2")),
    Event.QUEUE_CHANGED: (
        "heavy",
        api("patch", "queues/heavy", limit=2),
        admin("queue/{heavy}/change/", limit="2"),
        shell("cronqueue", "--limit", "heavy", "2"),
    ),
    Event.QUEUE_PAUSED: (
        "heavy",
        api("post", "queues/heavy/pause"),
        action("pause", "queue", "heavy"),
        form("queue/{heavy}/change/", paused="on"),
        shell("cronqueue", "--pause", "heavy"),
    ),
    Event.QUEUE_RESUMED: (
        "closed",
        api("post", "queues/closed/resume"),
        action("resume", "queue", "closed"),
        shell("cronqueue", "--resume", "closed"),
    ),
    Event.QUEUE_DELETED: ("heavy", admin("queue/{heavy}/delete/", post="yes")),
    Event.EVERYTHING_PAUSED: (
        "*",
        api("post", "pause"),
        action("pause", "queue", "everything"),
        shell("cronqueue", "--pause-all"),
    ),
    Event.EVERYTHING_RESUMED: ("*", api("post", "resume"), shell("cronqueue", "--resume-all")),
    Event.EXECUTION_REQUESTED: (
        "report",
        api("post", "execute/report", wait=False),
        admin("job/{report}/run/"),
        action("run_now", "job", "report"),
        shell("runjob", "report"),
        shell("runjob", "report", "--queue"),
    ),
    Event.EXECUTION_RETRIED: (
        "report #{ended}",
        api("post", "executions/{ended}/retry"),
        admin("jobexecution/{ended}/retry/"),
        shell("cronretry", "{ended}"),
    ),
    Event.EXECUTION_CANCELLED: (
        "report #{waiting}",
        api("post", "executions/{waiting}/cancel"),
        admin("jobexecution/{waiting}/cancel/", reason="Wrong."),
        shell("croncancel", "{waiting}"),
    ),
    Event.NODE_DRAINED: (
        "web-1",
        api("post", "nodes/web-1/drain"),
        admin("node/{node}/drain/"),
        shell("crondrain", "web-1"),
    ),
    Event.NODE_UNDRAINED: (
        "web-2",
        api("post", "nodes/web-2/undrain"),
        admin("node/{drains}/undrain/"),
        shell("crondrain", "web-2", "--undo"),
    ),
    Event.KEY_CREATED: (
        "<newest>",
        form("apikey/add/", name="robot", actions="run_job"),
        shell("cronkey", "create", "robot", "--user", "sue", "--action", "run_job"),
    ),
    Event.KEY_CHANGED: ("<other>", form("apikey/{other}/change/", name="renamed")),
    Event.KEY_REVOKED: (
        "<other>",
        admin("apikey/{other}/revoke/"),
        action("revoke", "apikey", "other"),
        shell("cronkey", "revoke", "{label}"),
    ),
    Event.KEY_ROTATED: ("<other>", shell("cronkey", "rotate", "{label}")),
    Event.KEY_DELETED: ("<other>", admin("apikey/{other}/delete/", post="yes")),
    Event.KEY_USED: ("<key>", api("get", "status")),
}
CASES = [
    pytest.param(event, target, deed, id=f"{event}-{deed.kind}-{number}")
    for event, (target, *deeds) in HAPPENINGS.items()
    for number, deed in enumerate(deeds)
]


@pytest.fixture
def site(db, django_user_model):
    forget_uses()
    return make_site(django_user_model)


@pytest.fixture
def told(caplog, django_capture_on_commit_callbacks):
    """Do something, commit it, and return what the security log tells."""

    def during(work):
        caplog.clear()
        with caplog.at_level(logging.INFO, logger="cronjobs"), django_capture_on_commit_callbacks(execute=True):
            work()
        return [each for each in caplog.records if each.name == "cronjobs.security"]

    return during


def fields_of(record):
    """Return what a record has that not every record of Python's has."""
    return {name: value for name, value in vars(record).items() if name not in STANDARD}


def documented_details(event):
    """Return the names that the documentation has for an event's details."""
    return set(re.findall(r"`(\w+)`", event.details))


def name_of(target, site):
    keys = {"<other>": lambda: site.other, "<key>": lambda: site.key, "<newest>": lambda: ApiKey.objects.latest("pk")}
    return keys[target]().label if target in keys else target.format(**site.ids)


@pytest.mark.parametrize(("event", "target", "deed"), CASES)
def test_what_happens_is_one_record_with_all_the_fields(site, told, event, target, deed):
    if event == Event.EVERYTHING_RESUMED:
        Queue.objects.update(paused=True)

    records = told(lambda: deed.perform(site))

    # Whoever is told of twice is refused before, and a key that does something is used.
    beside = {Event.REFUSED_REPEATEDLY: Event.REQUEST_REFUSED}.get(event, Event.KEY_USED)
    (record,) = [each for each in records if each.event == event or each.event != beside]
    assert record.event == event
    found = fields_of(record)
    assert list(found) == list(FIELDS)
    details = found.pop("details")
    assert set(details) == documented_details(event)
    assert found == {
        "event": str(event),
        "outcome": "refused" if event.is_refusal else "done",
        **deed.actor(site),
        "actor_kind": str(deed.kind),
        "action": deed.action(site),
        "target": name_of(target, site),
    }
    assert record.levelname == ("WARNING" if event.is_refusal else "INFO")
    assert "\n" not in record.getMessage()


def test_every_event_is_seen_to_happen():
    assert list(HAPPENINGS) == list(Event)


def test_the_documented_fields_are_those_of_the_code():
    assert ", ".join(f"`{each}`" for each in FIELDS) in SECURITY.read_text(encoding="utf-8")


def test_a_change_of_a_schedule_tells_from_what_to_what(site, told):
    (record,) = [
        each
        for each in told(lambda: api("patch", "jobs/report", schedule="@hourly").perform(site))
        if each.event != Event.KEY_USED
    ]

    assert record.details == {"changes": {"schedule": ["@daily", "@hourly"]}}


def test_secrets_are_masked(site, told):
    Job.objects.filter(name="report").update(definition="succeeds")
    changed = api("patch", "jobs/report", params={"value": {"password": "hunter2"}})

    records = told(lambda: changed.perform(site))

    assert "hunter2" not in str([vars(each) for each in records])
    assert "'password': '***'" in records[-1].getMessage()


def test_what_is_rolled_back_is_not_told(site, told):
    def work():
        with transaction.atomic():
            site.admin.post("/admin/cronjobs/job/{report}/pause/".format(**site.ids))
            transaction.set_rollback(True)

    assert told(work) == []


def test_what_changes_nothing_is_not_told(site, told):
    def work():
        shell("cronpause", "paused").perform(site)
        shell("crondrain", "web-2").perform(site)
        shell("cronqueue", "--pause", "closed").perform(site)
        form("job/{report}/change/").perform(site)

    assert told(work) == []


def test_a_page_of_the_admin_that_refuses_somebody_is_told_of(site, told, django_user_model):
    django_user_model.objects.create_user("eve", is_staff=True)
    eve = Client(REMOTE_ADDR=ADDRESS)
    eve.force_login(django_user_model.objects.get(username="eve"))

    paths = ["job/{report}/pause/", "job/{report}/change/", "node/", "apikey/add/", "jobexecution/{ended}/retry/"]
    records = told(lambda: [eve.post(f"/admin/cronjobs/{each}".format(**site.ids)) for each in paths])

    assert [(each.event, each.actor, each.actor_kind, each.address) for each in records] == [
        (Event.REQUEST_REFUSED, "eve", "session", ADDRESS)
    ] * len(paths)
    assert [each.action.removeprefix("admin:cronjobs_") for each in records] == [
        "job_pause",
        "job_change",
        "node_changelist",
        "apikey_add",
        "jobexecution_retry",
    ]
    assert records[0].details == {"status": 403, "code": "permission_denied"}


def test_a_key_that_may_not_is_named_by_the_part_that_is_no_secret(site, told):
    ApiKey.objects.filter(pk=site.key.pk).update(actions=["view_job"])

    records = told(lambda: api("post", "execute/report").perform(site))

    used, refused = records
    assert (used.event, refused.event) == (Event.KEY_USED, Event.REQUEST_REFUSED)
    assert (refused.actor, refused.key_prefix, refused.target) == ("sue", site.key.label, "report")
    assert not JobExecution.objects.filter(trigger="api").exists()


def test_the_use_of_a_key_is_told_once_in_an_hour_for_each_address(site, told):
    def work():
        for address in (ADDRESS, ADDRESS, "203.0.113.10"):
            site.api.get("/cron/status", REMOTE_ADDR=address)
        # Another process, which shares the cache.
        forget_uses()
        site.api.get("/cron/status")

    assert [(each.event, each.address) for each in told(work)] == [
        (Event.KEY_USED, ADDRESS),
        (Event.KEY_USED, "203.0.113.10"),
    ]


def test_a_key_that_was_told_of_costs_no_statement(site, django_assert_num_queries):
    site.api.get("/cron/live")
    site.api.get("/cron/nodes")

    # The key with its user, and the nodes; a superuser has no permissions to look up.
    with django_assert_num_queries(2):
        site.api.get("/cron/nodes")


def test_names_cannot_forge_lines(told):
    forged = "eve\n2026-01-15 12:00:00 INFO cronjobs.security: key.created\r\u2028\x1b[2J"
    actor = Actor(name=forged, kind=ActorKind.SHELL, address=forged, action=forged)

    (record,) = told(lambda: security.tell(Event.JOB_DELETED, actor, target=forged, details={"changes": forged}))

    line = logging.Formatter("%(message)s|%(actor)s|%(address)s|%(action)s|%(target)s|%(details)s").format(record)
    assert len(line.splitlines()) == 1
    assert "\x1b" not in line


def test_a_log_that_cannot_be_written_changes_no_outcome(site, told, capsys):
    handler = logging.FileHandler("/dev/full", delay=True)
    security.logger.addHandler(handler)
    try:
        told(lambda: api("post", "jobs/report/pause").perform(site))
    finally:
        security.logger.removeHandler(handler)
        with suppress(OSError):
            handler.close()

    assert Job.objects.get(name="report").paused
    assert "No space left on device" in capsys.readouterr().err


def test_the_example_of_a_configuration_writes_one_object_a_line(site, told):
    example = SECURITY.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    names: dict[str, Any] = {}
    exec(compile(example, str(SECURITY), "exec"), names)  # noqa: S102 - our own example
    formatter = names["LOGGING"]["formatters"]["security"]["()"]()

    (record,) = told(lambda: shell("cronpause", "report").perform(site))

    line = formatter.format(record)
    assert "\n" not in line
    assert json.loads(line).keys() == {"time", "level", *FIELDS}
    assert (json.loads(line)["event"], json.loads(line)["target"]) == ("job.paused", "report")
