"""Jobs that run after others: once per flow, when all they wait for has ended, and visibly not at all otherwise."""

from __future__ import annotations

import pytest

from cronjobs import events
from cronjobs.database import DatabaseNow
from cronjobs.executors.inline import perform_inline, run_inline
from cronjobs.models import Job, JobExecution
from tests.integration.conftest import NOON
from tests.integration.flows.walking import flow_of, named, perform_all, sweep

pytestmark = pytest.mark.django_db


def test_a_dependent_runs_after_its_upstream_with_the_due_time_of_the_root(make_job):
    make_job("succeeds", name="extract", params={"value": 1})
    make_job("succeeds", name="load", depends_on="extract", params={"value": 2}, priority=5, queue="slow")
    root = run_inline("extract")
    JobExecution.objects.filter(pk=root.pk).update(scheduled_for=NOON)

    assert sweep().decided == 1

    load = named(root, "load")
    assert (load.status, load.trigger, load.dedupe_key) == ("queued", "dependency", f"flow:{root.pk}")
    assert (load.flow, load.upstream_id, load.scheduled_for) == (root.pk, root.pk, NOON)
    assert (load.params, load.priority, load.queue) == ({"value": 2}, 5, "slow")
    assert load.run_after == load.due_at == load.queued_at >= root.finished_at
    root.refresh_from_db()
    assert (root.flow, root.followup_due) == (None, None)


def test_a_join_waits_for_all_and_runs_once(diamond):
    diamond()
    root = run_inline("extract")
    sweep()
    assert flow_of(root) == {"extract": "succeeded", "left": "queued", "right": "queued"}

    perform_inline(named(root, "left"))
    sweep()
    assert "join" not in flow_of(root)

    perform_inline(named(root, "right"))
    JobExecution.objects.filter(job_name__in=["left", "right"]).update(followup_due=DatabaseNow())
    sweep()
    perform_all()

    assert flow_of(root) == dict.fromkeys(("extract", "left", "right", "join"), "succeeded")
    assert JobExecution.objects.count() == 4
    assert named(root, "join").upstream_id == named(root, "right").pk


def test_flows_do_not_mix(diamond):
    diamond()
    first, second = run_inline("extract"), run_inline("extract")
    sweep()
    perform_inline(named(first, "left"))
    perform_inline(named(second, "right"))
    sweep()

    assert not JobExecution.objects.filter(job_name="join").exists()


@pytest.mark.parametrize(
    ("definition", "ended", "runs"),
    [
        ("succeeds", "succeeded", {"success", "always"}),
        ("fails", "failed", {"failure", "always"}),
        ("skips", "skipped", {"always"}),
    ],
)
def test_a_condition_says_after_which_ending_a_dependent_runs(make_job, definition, ended, runs):
    make_job(definition, name="extract")
    for condition in ("success", "failure", "always"):
        make_job("succeeds", name=condition, depends_on=f"extract:{condition}")

    root = run_inline("extract")
    sweep()

    verb = {"skipped": "was skipped"}.get(ended, ended)
    for condition in ("success", "failure", "always"):
        row = named(root, condition)
        expected = ("queued", "") if condition in runs else ("skipped", f"extract #{root.pk} {verb}.")
        assert (row.status, row.reason) == expected
        assert (row.finished_at is None) == (condition in runs)


def test_the_whole_chain_after_a_failure_is_skipped_but_for_the_other_branches(make_job):
    make_job("fails", name="extract")
    make_job("succeeds", name="load", depends_on="extract")
    make_job("succeeds", name="report", depends_on="load")
    make_job("succeeds", name="alarm", depends_on="extract:failure")
    make_job("succeeds", name="tidy", depends_on="load:always")

    root = run_inline("extract")
    perform_all()

    assert flow_of(root) == {
        "extract": "failed", "load": "skipped", "report": "skipped", "alarm": "succeeded", "tidy": "succeeded",
    }  # fmt: skip
    assert named(root, "report").reason == f"load #{named(root, 'load').pk} was skipped."
    assert not JobExecution.objects.filter(followup_due__isnull=False).exists()


def test_observers_are_told_of_what_is_skipped_in_a_flow(make_job, django_capture_on_commit_callbacks):
    make_job("fails", name="extract")
    make_job("succeeds", name="load", depends_on="extract")
    make_job("succeeds", name="report", depends_on="load")
    run_inline("extract")
    told = []

    def observe(execution, **_):
        told.append((execution.job_name, execution.status))

    events.execution_finished.connect(observe)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            sweep()
    finally:
        events.execution_finished.disconnect(observe)

    assert told == [("load", "skipped"), ("report", "skipped")]


def test_a_job_with_a_schedule_that_runs_by_it_is_a_root(make_job):
    make_job("succeeds", name="extract")
    make_job("succeeds", name="load", depends_on="extract", schedule="0 3 * * *")
    make_job("succeeds", name="report", depends_on="load")

    own = run_inline("load", trigger="schedule")
    perform_all()

    assert flow_of(own) == {"load": "succeeded", "report": "succeeded"}


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"enabled": False}, "The job was disabled."),
        ({"paused": True}, "The job was paused."),
        ({"overlap": "never"}, "The job is broken: 'never' is not a valid Overlap"),
    ],
)
def test_a_dependent_that_cannot_run_is_skipped_and_so_is_what_follows(make_job, columns, reason):
    make_job("succeeds", name="extract")
    make_job("succeeds", name="load", depends_on="extract", **columns)
    make_job("succeeds", name="report", depends_on="load")

    root = run_inline("extract")
    sweep()

    assert flow_of(root) == {"extract": "succeeded", "load": "skipped", "report": "skipped"}
    assert named(root, "load").reason == reason


def test_a_circle_that_sql_has_made_runs_each_job_once(make_job):
    for name, upstream in (("a", "c"), ("b", "a"), ("c", "b"), ("itself", "itself")):
        make_job("succeeds", name=name, depends_on=upstream)

    first, second = run_inline("a"), run_inline("itself")
    perform_all()

    assert flow_of(first) == dict.fromkeys("abc", "succeeded")
    assert flow_of(second) == {"itself": "succeeded"}
    assert JobExecution.objects.count() == 4


def test_a_dependent_of_a_job_that_is_not_there_waits(make_job):
    make_job("succeeds", name="extract")
    make_job("succeeds", name="load", depends_on="extract, ghost")

    root = run_inline("extract")
    perform_all()

    assert flow_of(root) == {"extract": "succeeded"}


def test_definitions_declare_dependencies_which_a_row_may_override(define):
    define("extract")
    define("load", depends_on="extract")
    define("report", depends_on=["extract"])
    Job.objects.filter(name="report").update(depends_on="")

    root = run_inline("extract")
    perform_all()

    assert flow_of(root) == {"extract": "succeeded", "load": "succeeded"}


def test_a_job_is_told_what_it_runs_after(define):
    told = []
    define("extract", lambda context: {"rows": 3})
    define("check", lambda context: context.params["missing"], depends_on="extract")
    define("load", lambda context: told.append(context.upstream), depends_on="extract, check:always")

    root = run_inline("extract")
    perform_all()
    run_inline("load")

    [upstream, alone] = told
    assert upstream.keys() == {"extract", "check"}
    assert (upstream["extract"].execution_id, upstream["extract"].result) == (root.pk, {"rows": 3})
    assert (upstream["check"].execution_id, upstream["check"].status) == (named(root, "check").pk, "failed")
    assert alone == {}
