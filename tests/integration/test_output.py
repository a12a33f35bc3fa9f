"""What a job prints belongs to its execution's log, and to no other."""

from __future__ import annotations

import json
import logging
import sys
from datetime import timedelta

import pytest

from cronjobs.executors.inline import run_inline
from cronjobs.models import Job, JobExecution
from cronjobs.registry import registry
from cronjobs.scheduler.node import NodeProcess
from tests.commands import run_command
from tests.servers import wait_for


def lines_of(execution):
    return list(execution.log_lines.values_list("level", "message", "data"))


@pytest.mark.django_db(transaction=True)
def test_four_jobs_at_once_never_mix_with_each_other_or_with_the_process(capsys):
    Job.objects.update(schedule="")
    Job.objects.ensure([registry["prints-and-logs"]])
    before = sys.stdout, sys.stderr
    executions = [
        JobExecution.objects.request("prints-and-logs", params={"tag": f"tag-{number}", "lines": 1_000, "together": 4})
        for number in range(4)
    ]
    node = NodeProcess(workers=4)
    node.start()
    try:
        wait_for(lambda: JobExecution.objects.filter(first_started_at__isnull=False).count() == 4)
        for number in range(1_000):
            print(f"main {number}")
        wait_for(lambda: not JobExecution.objects.open().exists())
    finally:
        node.stop(grace=timedelta(seconds=10))

    for number, execution in enumerate(executions):
        lines = lines_of(execution)
        printed = [message for _, message, data in lines if data == {"stream": "stdout"}]
        logged = [message for _, message, data in lines if data == {"logger": "chatter"}]
        assert printed == [f"tag-{number} prints {line}" for line in range(1_000)]
        assert logged == [f"tag-{number} logs {line}" for line in range(1_000)]
        assert len(lines) == 2_000
    assert capsys.readouterr().out.splitlines() == [f"main {number}" for number in range(1_000)]
    assert (sys.stdout, sys.stderr) == before


@pytest.mark.django_db
def test_standard_error_warns_and_the_process_log_has_both(define, caplog, capsys):
    def complains(context):
        print("fine")
        print("not fine", file=sys.stderr)
        context.log.progress("between")

    with caplog.at_level(logging.INFO, "cronjobs.job"):
        execution = run_inline(define(complains))

    assert lines_of(execution) == [
        (20, "fine", {"stream": "stdout"}),
        (30, "not fine", {"stream": "stderr"}),
        (20, "between", None),
    ]
    mirrored = [
        (each.levelno, each.getMessage(), each.execution_id) for each in caplog.records if each.name == "cronjobs.job"
    ]
    assert mirrored == [
        (20, "complains: fine", execution.pk),
        (30, "complains: not fine", execution.pk),
        (20, "complains: between", execution.pk),
    ]
    assert capsys.readouterr().out == ""


@pytest.mark.django_db
def test_what_a_coroutine_prints_is_its_jobs(define):
    async def asynchronous(context):
        print("awaited")

    assert lines_of(run_inline(define(asynchronous))) == [(20, "awaited", {"stream": "stdout"})]


@pytest.mark.django_db
def test_the_last_words_of_a_failing_job_are_kept(define):
    def fails_in_the_middle(context):
        print("half a line", end="")
        raise RuntimeError

    assert lines_of(run_inline(define(fails_in_the_middle))) == [(20, "half a line", {"stream": "stdout"})]


@pytest.mark.django_db
def test_megabytes_without_an_end_of_line_are_one_line_that_is_cut(define, settings):
    settings.CRONJOBS = {"LOG_MESSAGE_MAX_BYTES": 1_000}

    def endless(context):
        for _ in range(10):
            sys.stdout.write("password=" + "🎉" * 1_000_000)

    ((_, message, _),) = lines_of(run_inline(define(endless)))

    assert message == "password=***"


@pytest.mark.django_db
def test_no_cut_of_an_endless_line_shows_half_of_a_secret(define, settings):
    settings.CRONJOBS = {"LOG_MESSAGE_MAX_BYTES": 100}

    def endless(context):
        sys.stdout.write("x" * 80 + " postgres://ann:hunter2-and-more@db/shop " + "x" * 10_000)

    ((_, message, _),) = lines_of(run_inline(define(endless)))

    assert "hunter2" not in message
    assert message.startswith("x" * 80)
    assert message.endswith("… [cut]")


@pytest.mark.django_db
def test_what_a_job_prints_does_not_get_into_the_json_of_a_command(define):
    def prints(context):
        print("in between")
        return 1

    outcome = run_command("runjob", define(prints), "--json")

    assert json.loads(outcome.out)["result"] == 1
    assert "in between" in outcome.err
