"""What a message says, as text, HTML and JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from cronjobs.alerts import AlertKind
from cronjobs.models import Alert
from cronjobs.notifications import Message
from cronjobs.notifications.messages import Links, LogLine

NOON = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
SCRIPT = "<script>alert(1)</script>"


def message(**changes):
    return Message(
        **{
            "message_id": "abc",
            "kind": "failing",
            "subject": "report",
            "job_name": "report",
            "created_at": NOON,
            **changes,
        }
    )


def alert(**changes):
    columns = {"pk": 7, "kind": "failing", "subject": "report", "job_name": "report", "created_at": NOON, "facts": {}}
    return Alert(**{**columns, **changes})


FACTS = {
    "description": "Adds up the day.",
    "error_type": "ValueError",
    "error_message": "no rows",
    "log_lines": [{"time": "2026-01-15T11:59:58+00:00", "level": "WARNING", "message": "nothing found"}],
    "attempt": 3,
    "max_attempts": 3,
    "node": "host:1:abc",
    "due_at": "2026-01-15T11:59:00+00:00",
    "started_at": "2026-01-15T11:59:01Z",
    "finished_at": None,
    "duration_ms": 1_234,
    "owner": "Ada",
    "runbook_url": "https://wiki.example/report",
}


def test_it_tells_everything_that_is_known():
    links = Links(execution="https://ops.example.com/admin/5/", job="https://ops.example.com/admin/2/")
    told = Message.of(alert(execution_id=5, facts=FACTS), notifier="ops", is_repeat=True, links=links)

    assert told.as_text() == (
        "Job report is failing.\n\n"
        "This message may be a repetition: nobody knows whether it arrived before.\n\n"
        "Adds up the day.\n\n"
        "Job: report (https://ops.example.com/admin/2/)\n"
        "Execution: 5 (https://ops.example.com/admin/5/)\n"
        "Attempt: 3 of 3\n"
        "Node: host:1:abc\n"
        "Due: 2026-01-15 11:59:00 UTC\n"
        "Started: 2026-01-15 11:59:01 UTC\n"
        "Took: 1.2 s\n"
        "Owner: Ada\n"
        "Runbook: https://wiki.example/report\n"
        "Noticed: 2026-01-15 12:00:00 UTC\n\n"
        "Error:\nValueError: no rows\n\n"
        "The last lines of the log:\n11:59:58 WARNING nothing found\n"
    )
    for part in ("Adds up the day.", "ValueError: no rows", 'href="https://ops.example.com/admin/5/"', "repetition"):
        assert part in told.as_html()


def test_the_json_has_every_fact():
    data = Message.of(alert(execution_id=5, facts=FACTS), notifier="ops", is_repeat=False).as_json()["data"]

    assert data == {
        "id": 7,
        "kind": "failing",
        "isOver": False,
        "isRepeat": False,
        "title": "Job report is failing",
        "subject": "report",
        "details": "",
        "jobName": "report",
        "executionId": 5,
        "description": "Adds up the day.",
        "error": {"type": "ValueError", "message": "no rows"},
        "logLines": [{"time": "2026-01-15T11:59:58.000Z", "level": "WARNING", "message": "nothing found"}],
        "attempt": 3,
        "maxAttempts": 3,
        "node": "host:1:abc",
        "dueAt": "2026-01-15T11:59:00.000Z",
        "startedAt": "2026-01-15T11:59:01.000Z",
        "finishedAt": None,
        "durationMs": 1_234,
        "owner": "Ada",
        "runbookUrl": "https://wiki.example/report",
        "links": {"execution": None, "job": None},
    }


@pytest.mark.parametrize("kind", AlertKind)
@pytest.mark.parametrize("is_resolution", [False, True])
def test_every_kind_has_a_title_of_its_own(kind, is_resolution):
    title = message(kind=kind, subject="x-1", is_resolution=is_resolution).title

    assert "something" not in title
    assert title != message(kind=kind, subject="x-1", is_resolution=not is_resolution).title
    assert ("x-1" in title) is (kind != AlertKind.MONGODB_UNREACHABLE)


def test_facts_of_any_shape_are_no_reason_not_to_tell():
    for facts in ([], "x", {key: value for key in FACTS for value in ([{}], {"a": 1})}, dict.fromkeys(FACTS, "\x00")):
        told = Message.of(alert(facts=facts), notifier="ops", is_repeat=False)

        assert told.as_text().startswith("Job report is failing.")
        json.dumps(told.as_json())


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_that_utc_does_not_have_is_left_out(moment):
    alert = Alert(pk=7, kind="failing", created_at=datetime.now(UTC), facts={"due_at": moment})
    message = Message.of(alert, notifier="ops", is_repeat=False)

    assert message.as_json()["data"]["dueAt"] is None
    assert "Due" not in message.as_text()


def test_what_a_job_says_is_escaped_in_html():
    told = message(
        subject=SCRIPT,
        job_name=SCRIPT,
        details=SCRIPT,
        description=SCRIPT,
        error_type=SCRIPT,
        error_message=SCRIPT,
        node=SCRIPT,
        owner=SCRIPT,
        runbook_url=f"https://wiki.example/{SCRIPT}",
        log_lines=[LogLine(NOON, SCRIPT, f"</pre>{SCRIPT}")],
    )

    assert "<script" not in told.as_html()
    assert told.as_html().count("&lt;script&gt;") >= 10
    assert told.as_text().count(SCRIPT) >= 9


def test_only_web_addresses_become_links():
    assert 'href="javascript' not in message(runbook_url="javascript:alert(1)").as_html()
    assert "javascript:alert(1)" in message(runbook_url="javascript:alert(1)").as_html()


def test_the_subject_is_one_line_and_cut():
    line = message(subject="x\r\nBcc: eve@example.com\u2028\x0b\x1b[31m" + "y" * 500).subject_line

    assert len(line) == 150
    assert line.startswith("Job x Bcc: eve@example.com [31myyy")
    assert line.isprintable()


def test_the_identity_stays_for_one_delivery_and_is_no_others():
    def identity(notifier="ops", **changes):
        return Message.of(alert(**changes), notifier=notifier, is_repeat=False).message_id

    others = {
        identity(notifier="other"),
        identity(pk=8),
        identity(created_at=NOON + timedelta(microseconds=1)),
    }
    assert identity() == Message.of(alert(), notifier="ops", is_repeat=True).message_id
    assert len(others | {identity()}) == 4


def test_links_need_a_base_url_and_an_admin(settings):
    assert Links.of("", execution_id=5, job_id=2) == Links()
    assert Links.of("https://ops.example.com/", execution_id=5, job_id=None) == Links(
        execution="https://ops.example.com/admin/cronjobs/jobexecution/5/change/"
    )
    settings.ROOT_URLCONF = "cronjobs.api.urls"
    assert Links.of("https://ops.example.com", execution_id=5, job_id=2) == Links()


@pytest.mark.parametrize(("duration_ms", "said"), [(4, "4 ms"), (999, "999 ms"), (1000, "1.0 s"), (90_000, "90.0 s")])
def test_what_ended_within_a_second_is_told_in_milliseconds(duration_ms, said):
    assert f"Took: {said}\n" in message(duration=timedelta(milliseconds=duration_ms)).as_text()


def test_what_never_started_has_no_attempt():
    assert "Attempt" not in message(kind="missed", attempt=0, max_attempts=1).as_text()


def test_a_test_says_that_nothing_is_wrong():
    told = Message.test(notifier="ops", now=NOON)

    assert told.title == "A test of the notifier ops"
    assert "Nothing is wrong." in told.as_text()
    assert told.as_json()["type"] == "alert.test"
    assert told.message_id != Message.test(notifier="ops", now=NOON).message_id
