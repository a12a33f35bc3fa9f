"""What the recorder does with rows that the database does not take."""

from __future__ import annotations

from contextlib import closing, contextmanager

import pytest
from django.db import connection
from django.utils import timezone

from cronjobs import job
from cronjobs.executors.recorder import Recorder
from cronjobs.models import ExecutionLog, JobExecution
from cronjobs.models.moves import claim
from cronjobs.registry import registry
from cronjobs.runner import Claim, perform
from tests.integration.listening import listening
from tests.servers import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

TRIGGERS = {
    "sqlite": """
        CREATE TRIGGER poison BEFORE {event} ON {table} WHEN NEW.{column} LIKE '%{text}%'
        BEGIN SELECT {fault}; END
    """,
    "mysql": """
        CREATE TRIGGER poison BEFORE {event} ON {table} FOR EACH ROW
        IF NEW.{column} LIKE '%{text}%' THEN SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = {fault}; END IF
    """,
    "postgresql": """
        CREATE OR REPLACE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.{column}::text LIKE '%{text}%' THEN RAISE 'poison' USING ERRCODE = '{fault}'; END IF;
        RETURN NEW; END $$;
        CREATE TRIGGER poison BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION poison()
    """,
}
ANTIDOTES = {
    "sqlite": "DROP TRIGGER poison",
    "mysql": "DROP TRIGGER poison",
    "postgresql": "DROP FUNCTION poison CASCADE",
}
# What MariaDB says of a packet that is too large is an error of operation, like a lost connection.
OPERATIONAL = {"sqlite": "abs(-9223372036854775807 - 1)", "mysql": "1153", "postgresql": "54000"}
INTEGRITY = {"sqlite": "RAISE(ABORT, 'poison')", "mysql": "1062", "postgresql": "23514"}


def execute(statement):
    with closing(connection.cursor()) as cursor:
        cursor.execute(statement)


@contextmanager
def refused(model, column, *, text="poison", event="UPDATE", faults=OPERATIONAL):
    """Let the database refuse rows with that text in that column."""
    fault, table = faults[connection.vendor], model._meta.db_table
    execute(TRIGGERS[connection.vendor].format(event=event, table=table, column=column, text=text, fault=fault))
    try:
        yield
    finally:
        execute(ANTIDOTES[connection.vendor])


def start_recording(*, log=()):
    """Perform whatever waits, with the lines of `log` in the first one's, and let a recorder write what came of it."""
    recorder = Recorder(recorded=lambda batch: None, live=list)
    claims = [Claim.of(*each) for each in claim(node="test", limit=10, now=timezone.now()).executions]
    for message in log:
        claims[0].log.add(20, message)
    for each in claims:
        recorder.end(each, perform(each, now=timezone.now))
    recorder.start()
    return recorder


def record_all(*, log=()):
    assert start_recording(log=log).close(timeout=90)


def request_values(make_job, *values):
    make_job("succeeds", overlap="allow")
    return [JobExecution.objects.request("succeeds", params={"value": value}) for value in values]


def results(executions):
    return [JobExecution.objects.get(pk=each.pk).result for each in executions]


def test_a_result_that_fails_again_and_again_does_not_hold_up_others(make_job, caplog):
    executions = request_values(make_job, 1, "poison", 2)

    with refused(JobExecution, "result"):
        record_all()

    assert results(executions) == [{"value": 1}, None, {"value": 2}]
    executions[1].refresh_from_db()
    assert executions[1].status == "succeeded"
    assert executions[1].reason == "Result and error could not be stored: OperationalError."
    assert f"The ending of {executions[1]} cannot be stored as it is" in caplog.text


def test_a_single_result_that_fails_again_and_again_is_left_out(make_job):
    (execution,) = request_values(make_job, "poison")

    with refused(JobExecution, "result"):
        record_all()

    execution.refresh_from_db()
    assert (execution.status, execution.result) == ("succeeded", None)


def test_a_line_that_fails_again_and_again_is_replaced(make_job, caplog):
    (execution,) = request_values(make_job, 1)

    with refused(ExecutionLog, "message", event="INSERT"):
        record_all(log=["before", "poison", "after"])

    lines = list(execution.log_lines.values_list("message", flat=True))
    assert lines == ["before", "This line could not be stored: OperationalError.", "after"]
    assert results([execution]) == [{"value": 1}]
    assert f"A line of execution {execution.pk} cannot be stored as it is" in caplog.text


def test_what_the_database_refuses_altogether_waits_and_is_stored_whole(make_job):
    (execution,) = request_values(make_job, 1)

    with refused(JobExecution, "status", text="succeeded"):
        recorder = start_recording()
        # Three attempts, then each version once.
        wait_for(lambda: recorder._backoff._failures >= 5)
    assert recorder.close(timeout=90)

    execution.refresh_from_db()
    assert (execution.status, execution.result, execution.reason) == ("succeeded", {"value": 1}, "")


def test_an_ending_that_cannot_be_stored_at_all_is_given_up_and_said(make_job, caplog):
    (execution,) = request_values(make_job, 1)

    with refused(JobExecution, "status", text="succeeded", faults=INTEGRITY):
        record_all()

    execution.refresh_from_db()
    assert execution.status == "running"
    assert f"The ending of {execution} cannot be stored at all" in caplog.text


def test_what_is_not_recorded_before_the_node_has_to_stop_is_not_announced(make_job, caplog):
    (execution,) = request_values(make_job, 1)

    with listening() as heard, refused(JobExecution, "status", text="succeeded"):
        recorder = start_recording()
        wait_for(lambda: recorder._backoff._failures >= 1)
        assert not recorder.close(timeout=0)
        recorder.join(30)

    execution.refresh_from_db()
    assert (execution.status, recorder.is_alive()) == ("running", False)
    assert heard == []
    assert f"{execution} ended here, and nothing was recorded" in caplog.text


@pytest.fixture
def returns_megabytes(make_job):
    @job("returns-megabytes", overlap="allow")
    def returns_megabytes(context, *, megabytes):
        return "x" * megabytes * 1024 * 1024

    make_job("returns-megabytes")
    yield
    registry.remove("returns-megabytes")


@pytest.mark.usefixtures("returns_megabytes")
def test_a_packet_that_mariadb_does_not_take_is_left_out(make_job, settings):
    if connection.vendor != "mysql":
        pytest.skip("only MariaDB limits the size of a statement")
    settings.CRONJOBS = {"RESULT_MAX_BYTES": 100_000_000}
    executions = request_values(make_job, 1, 2, 3)
    # Above the limit by little, it says so (1153); by much, it hangs up (2006).
    executions += [JobExecution.objects.request("returns-megabytes", params={"megabytes": size}) for size in (17, 50)]

    record_all()

    assert results(executions) == [{"value": 1}, {"value": 2}, {"value": 3}, None, None]
    assert not JobExecution.objects.open().exists()
