"""`croncheck` says in a sentence what is wrong, and its exit code says whether anything is."""

from __future__ import annotations

import json
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from django.db import DatabaseError

from cronjobs.database import DatabaseNow
from cronjobs.health._errors import NOT_MIGRATED
from cronjobs.models import Node
from tests.commands import address_of_nobody, run_command, run_command_process

pytestmark = pytest.mark.django_db


@pytest.fixture
def node(db):
    now = DatabaseNow()
    return Node.objects.create(name="node-1", pid=1, workers=8, started_at=now, heartbeat_at=now, last_tick_at=now)


def test_a_sound_installation_has_no_problem(node):
    out, err, code = run_command("croncheck", "--strict")

    assert (code, err) == (0, "")
    assert "PROBLEM" not in out
    assert "notice  mongodb" in out


def test_before_the_first_start_a_missing_node_is_a_notice():
    out, err, code = run_command("croncheck")

    assert (code, err) == (0, "")
    assert "notice  nodes         No node is alive" in out


@pytest.mark.parametrize("option", ["--require-node", "--strict"])
def test_a_node_can_be_required(option):
    out, err, code = run_command("croncheck", option)

    assert (code, err) == (1, "CommandError: 1 problem in nodes.\n")
    assert "PROBLEM nodes         No node is alive" in out


def test_there_is_a_sentence_for_each_problem(node, make_job):
    make_job("noop", schedule="61 * * * *")
    make_job("succeeds", time_zone="Mars/Base")

    out, err, code = run_command("croncheck")

    problems = [line.split(maxsplit=2)[1:] for line in out.splitlines() if line.startswith("PROBLEM")]
    assert (code, err) == (1, "CommandError: 3 problems in jobs, zones.\n")
    assert [name for name, _ in problems] == ["jobs", "jobs", "zones"]
    assert problems[0][1].startswith("Job noop is broken: minute: ")
    assert all(sentence.endswith(".") for _, sentence in problems)


def test_a_warning_is_a_problem_only_when_strict(node):
    Node.objects.update(clock_skew_ms=5_000)

    lenient, strict = run_command("croncheck"), run_command("croncheck", "--strict")

    assert lenient.code == 0
    assert "warning clock         The clock of node node-1 is 5.0 s ahead of the database's." in lenient.out
    assert (strict.code, strict.err) == (1, "CommandError: 1 problem in clock.\n")


def test_the_findings_as_json(make_job):
    make_job("noop", schedule="61 * * * *")

    out, _, code = run_command("croncheck", "--json")

    findings = json.loads(out)
    assert (code, findings["success"]) == (1, False)
    assert [each.partition(":")[0] for each in findings["problems"]] == ["Job noop is broken"]
    assert [each.partition(",")[0] for each in findings["notices"][:2]] == ["No node is alive", "No node is alive"]
    assert findings["checks"]["sql"]["status"] == "ok"
    assert findings["checks"]["jobs"]["broken"].keys() == {"noop"}


def test_that_everything_is_paused_is_a_notice(node, settings):
    settings.CRONJOBS = {"PAUSED": True}

    plain, as_data = run_command("croncheck", "--strict"), json.loads(run_command("croncheck", "--json").out)

    assert (plain.code, plain.err) == (0, "")
    assert "notice  configuration Everything is paused by the settings: CRONJOBS['PAUSED'] is True." in plain.out
    assert any("CRONJOBS['PAUSED']" in each for each in as_data["notices"])


def test_settings_that_cannot_be_understood_are_said_once(node, settings):
    settings.CRONJOBS = {"PAUSE": True}

    out, err, code = run_command("croncheck")

    assert (code, err) == (1, "CommandError: 1 problem in configuration.\n")
    assert out.count("'PAUSE'") == 1
    assert "notice  nodes         Not checked, since the settings cannot be understood." in out


@pytest.mark.mongo
def test_a_missing_index_is_a_warning_that_says_how_to_make_it(node, settings, mongo_server):
    settings.CRONJOBS = {"MONGODB_URI": urlsplit(mongo_server)._replace(path=f"/test_{uuid4().hex}").geturl()}

    lenient, strict = run_command("croncheck"), run_command("croncheck", "--strict")

    assert lenient.code == 0
    assert "db.conversation_states.createIndex({isActive: 1, createdAt: 1})" in lenient.out
    assert (strict.code, strict.err) == (1, "CommandError: 3 problems in mongodb.\n")


@pytest.mark.mongo
def test_mongodb_that_does_not_answer_is_a_problem(node, settings):
    settings.CRONJOBS = {"MONGODB_URI": "mongodb://ann:hunter2@127.0.0.1:1/app", "MONGODB_TIMEOUT": 0.2}

    out, err, code = run_command("croncheck")

    assert (code, err) == (1, "CommandError: 1 problem in mongodb.\n")
    assert "PROBLEM mongodb       MongoDB at 127.0.0.1:1 is not available: " in out
    assert "hunter2" not in out


def test_an_option_that_does_not_exist_is_code_2():
    out, err, code = run_command("croncheck", "--colour")

    assert (code, out) == (2, "")
    assert "unrecognized arguments: --colour" in err


@pytest.mark.slow
@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    "command", [("croncheck",), ("cronstatus",), ("runjob", "noop"), ("runjob", "noop", "--queue")]
)
def test_a_database_that_is_not_migrated_is_one_sentence(command, tmp_path):
    out, err, code = run_command_process(*command, DATABASE_URL=f"sqlite:///{tmp_path}/empty.sqlite3")

    assert code == 1
    assert (out + err).count(NOT_MIGRATED) == 1
    assert "Traceback" not in err


@pytest.mark.slow
@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    "command", [("croncheck",), ("cronstatus",), ("runjob", "noop"), ("runjob", "noop", "--queue")]
)
def test_a_database_that_is_away_is_one_sentence_without_its_password(command):
    out, err, code = run_command_process(*command, DATABASE_URL=address_of_nobody("hunter2"))

    said = out + err
    assert code == 1
    assert said.count("PostgreSQL at 127.0.0.1:1/shop cannot be used: ") == 1
    assert "hunter2" not in said
    assert "Traceback" not in said


def test_a_password_that_a_driver_repeats_is_taken_out(settings):
    from django.db import connection

    from cronjobs.health import explain_database_error

    before = connection.settings_dict["PASSWORD"]
    connection.settings_dict["PASSWORD"] = "hunter2"
    try:
        sentence = explain_database_error(DatabaseError("could not parse hunter2@host\nmore"))
    finally:
        connection.settings_dict["PASSWORD"] = before

    assert sentence.endswith("cannot be used: could not parse ***@host")


def test_that_there_is_nobody_to_tell_is_a_notice(node, settings):
    settings.CRONJOBS = {}
    out, err, code = run_command("croncheck", "--strict")

    assert (code, err) == (0, "")
    assert "notice  notifiers     CRONJOBS['NOTIFIERS'] is empty, so nobody is told when a job fails." in out

    settings.CRONJOBS = {"NOTIFIERS": {"ops": {"CLASS": "email", "TO": ["ops@example.com"]}}}

    assert "ok      notifiers     1 notifier configured: ops." in run_command("croncheck").out
