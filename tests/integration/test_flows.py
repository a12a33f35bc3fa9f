"""Jobs that run after others: once per flow, when all they wait for has ended, and visibly not at all otherwise."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from cronjobs import RetryPolicy, events, job
from cronjobs.database import DatabaseNow, database_now_plus, read_clock
from cronjobs.executors.inline import perform_inline, run_inline
from cronjobs.models import Job, JobExecution
from cronjobs.models.moves import abandon, cancel, claim, record, rescue
from cronjobs.models.reruns import retry
from cronjobs.registry import registry
from cronjobs.runner import Claim, perform
from cronjobs.scheduler.followups import BATCH, PATIENCE, follow_up
from tests.integration.conftest import NOON, flow_rows
from tests.integration.test_many_jobs import plans_of, reads_whole

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_else(db):
    Job.objects.all().delete()


@pytest.fixture
def define(db):
    """Register definitions for one test, with their jobs."""
    names = []

    def make(name, func=lambda context: None, **options):
        definition = job(name, **{"retry": RetryPolicy(max_attempts=1), **options})(func)
        names.append(name)
        Job.objects.ensure([definition])
        return Job.objects.named(name)

    yield make
    for name in names:
        registry.remove(name)


def sweep():
    return follow_up(read_clock("default"))


def perform_all():
    """Do what a node does until there is nothing left to do."""
    while True:
        waiting = list(JobExecution.objects.filter(status="queued"))
        for execution in waiting:
            perform_inline(execution)
        if not sweep().decided and not waiting:
            return


def flow_of(root):
    """Return what became of each job in the flow, the root included."""
    rows = flow_rows(root)
    return dict(rows.values_list("job_name", "status"))


def named(root, name):
    return flow_rows(root).filter(job_name=name).latest("pk")


def run_again(execution):
    return retry(execution.pk).execution


@pytest.fixture
def diamond(make_job):
    """extract, then left and right, then join."""

    def make(**definitions):
        for name, depends_on in (("extract", ""), ("left", "extract"), ("right", "extract"), ("join", "left, right")):
            make_job(definitions.get(name, "succeeds"), name=name, depends_on=depends_on)

    return make


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


def test_what_never_began_starts_no_flow(make_job):
    extract = make_job("succeeds", name="extract")
    make_job("succeeds", name="load", depends_on="extract:always")
    waiting = JobExecution.objects.request("extract")
    JobExecution.objects.request("extract")
    JobExecution.objects.filter(pk__gt=waiting.pk).update(status="missed", job=extract, finished_at=NOON)

    cancel(JobExecution.objects.all(), reason="not today")
    sweep()

    assert set(JobExecution.objects.values_list("job_name", "status")) == {
        ("extract", "cancelled"),
        ("extract", "missed"),
    }


def test_a_cancelled_member_of_a_flow_is_followed_up(make_job):
    make_job("succeeds", name="extract")
    make_job("succeeds", name="load", depends_on="extract")
    make_job("succeeds", name="report", depends_on="load")
    root = run_inline("extract")
    sweep()

    cancel(JobExecution.objects.filter(job_name="load"), reason="no")
    sweep()

    assert flow_of(root)["report"] == "skipped"
    assert named(root, "report").reason == f"load #{named(root, 'load').pk} was cancelled."


@pytest.mark.parametrize("way", ["rescued", "given up"])
def test_a_lost_root_is_followed_up(make_job, way):
    make_job("succeeds", name="extract")
    make_job("succeeds", name="alarm", depends_on="extract:failure")
    root = JobExecution.objects.request("extract")
    [(claimed, _)] = claim(node="n", limit=1, now=read_clock("default")).executions

    if way == "rescued":
        JobExecution.objects.update(lease_expires_at=database_now_plus(timedelta(seconds=-1)))
        rescue()
    else:
        abandon([claimed], reason="stopping")
    sweep()

    assert flow_of(root) == {"extract": "lost", "alarm": "queued"}


def test_an_attempt_that_is_repeated_is_no_ending(make_job):
    make_job("fails-twice", name="extract")
    make_job("succeeds", name="load", depends_on="extract:always")
    root = run_inline("extract")

    sweep()
    assert flow_of(root) == {"extract": "queued"}
    perform_all()

    assert flow_of(root) == {"extract": "succeeded", "load": "succeeded"}


def test_a_root_that_is_cancelled_between_two_attempts_has_begun(make_job):
    make_job("asks-again", name="extract")
    make_job("succeeds", name="load", depends_on="extract")
    root = run_inline("extract")

    cancel(JobExecution.objects.filter(pk=root.pk), reason="enough")
    sweep()

    assert flow_of(root) == {"extract": "cancelled", "load": "skipped"}


def test_a_root_that_is_not_tried_again_since_it_was_asked_to_stop_has_ended(make_job):
    make_job("asks-again", name="extract")
    make_job("succeeds", name="load", depends_on="extract:always")
    root = JobExecution.objects.request("extract")
    [(claimed, job_row)] = claim(node="n", limit=1, now=read_clock("default")).executions
    ending = perform(Claim.of(claimed, job_row), now=lambda: read_clock("default"))
    cancel(JobExecution.objects.filter(pk=root.pk), reason="enough")

    record([], [ending])
    sweep()

    assert flow_of(root) == {"extract": "cancelled", "load": "queued"}


def test_an_ending_recorded_twice_is_followed_up_once(make_job):
    make_job("succeeds", name="extract")
    make_job("succeeds", name="load", depends_on="extract")
    root = JobExecution.objects.request("extract")
    [(claimed, job_row)] = claim(node="n", limit=1, now=read_clock("default")).executions
    ending = perform(Claim.of(claimed, job_row), now=lambda: read_clock("default"))

    for _ in range(2):
        # The second time is what a node does that got no reply to its COMMIT.
        assert record([], [ending]) == set()
        perform_all()

    assert flow_of(root) == {"extract": "succeeded", "load": "succeeded"}
    assert JobExecution.objects.count() == 2


def test_nothing_is_marked_where_nothing_depends(make_job):
    make_job("succeeds")
    run_inline("succeeds")

    assert not JobExecution.objects.filter(followup_due__isnull=False).exists()


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


def test_running_a_failed_upstream_again_revives_what_it_had_stopped(make_job):
    make_job("fails", name="extract")
    make_job("succeeds", name="load", depends_on="extract")
    make_job("succeeds", name="report", depends_on="load")
    make_job("succeeds", name="alarm", depends_on="extract:failure")
    root = run_inline("extract")
    perform_all()
    rows = {each.job_name: each.pk for each in JobExecution.objects.all()}
    Job.objects.filter(name="extract").update(definition="succeeds")

    again = run_again(root)
    sweep()
    assert flow_of(root)["load"] == "skipped"
    perform_inline(again)
    sweep()
    load = named(root, "load")
    assert (load.status, load.reason, load.upstream_id, load.trigger) == ("queued", "", again.pk, "dependency")
    assert load.finished_at is None
    perform_all()

    assert flow_of(root) == {
        "extract": "succeeded", "load": "succeeded", "report": "succeeded", "alarm": "succeeded",
    }  # fmt: skip
    assert {each.job_name: each.pk for each in JobExecution.objects.exclude(pk=again.pk)} == rows


def test_what_has_run_in_a_flow_does_not_run_again(make_job):
    make_job("succeeds", name="extract")
    make_job("succeeds", name="load", depends_on="extract")
    root = run_inline("extract")
    perform_all()

    perform_inline(run_again(root))
    perform_all()

    assert JobExecution.objects.filter(job_name="load").count() == 1


def test_while_an_upstream_runs_again_its_dependents_wait(diamond):
    diamond(left="fails")
    root = run_inline("extract")
    sweep()
    perform_inline(named(root, "left"))
    run_again(named(root, "left"))
    perform_inline(named(root, "right"))

    sweep()

    assert "join" not in flow_of(root)


def test_an_upstream_that_fails_when_run_again_leaves_things_as_they_are(make_job):
    make_job("fails", name="extract")
    make_job("succeeds", name="load", depends_on="extract")
    root = run_inline("extract")
    perform_all()

    perform_inline(run_again(root))
    perform_all()

    assert flow_of(root) == {"extract": "failed", "load": "skipped"}
    assert JobExecution.objects.count() == 3


def test_a_flow_goes_on_after_its_root_is_gone(make_job):
    make_job("succeeds", name="extract")
    make_job("succeeds", name="load", depends_on="extract")
    make_job("succeeds", name="report", depends_on="load")
    root = run_inline("extract")
    sweep()
    load = named(root, "load")
    JobExecution.objects.filter(pk=root.pk).delete()

    perform_inline(load)
    perform_all()

    assert named(root, "report").status == "succeeded"


class TestRollingRelease:
    """A definition that only other nodes have."""

    @pytest.fixture
    def hidden(self, define):
        """Let this process be one whose code has no "load", until it is given back."""
        define("extract")
        define("load", depends_on="extract")
        definition = registry["load"]
        registry.remove("load")
        return lambda: registry.add(definition)

    @pytest.mark.parametrize("depends_on", [None, "extract"], ids=["by-definition", "by-row"])
    def test_what_depends_on_it_is_left_to_them(self, hidden, depends_on):
        Job.objects.filter(name="load").update(depends_on=depends_on)
        root = run_inline("extract")

        assert sweep().decided == 0
        assert flow_of(root) == {"extract": "succeeded"}

        hidden()
        assert sweep().decided == 1
        assert flow_of(root) == {"extract": "succeeded", "load": "queued"}

    def test_what_this_node_knows_is_not_held_up(self, hidden, make_job):
        make_job("succeeds", name="report", depends_on="extract")
        Job.objects.filter(name="load").update(depends_on="extract")
        root = run_inline("extract")
        sweep()

        assert flow_of(root) == {"extract": "succeeded", "report": "queued"}

    def test_nobody_waits_for_ever(self, hidden):
        Job.objects.filter(name="load").update(depends_on="extract")
        root = run_inline("extract")
        JobExecution.objects.update(followup_due=F("followup_due") - PATIENCE)

        sweep()

        assert flow_of(root) == {"extract": "succeeded", "load": "skipped"}
        assert "No job definition is registered as 'load'" in named(root, "load").reason

    def test_a_definition_that_no_node_knows_costs_nothing(self, hidden):
        Job.objects.filter(name="load").update(broken_reason="No job definition is registered as 'load'.")
        run_inline("extract")

        assert not JobExecution.objects.filter(followup_due__isnull=False).exists()


# A time that SQL lets in and Python cannot hold.
IMPOSSIBLE = {"postgresql": "infinity", "sqlite": "2026-13-45 00:00:00"}.get(connection.vendor)


@pytest.mark.skipif(IMPOSSIBLE is None, reason="MariaDB lets no such time in")
def test_one_that_cannot_be_followed_up_is_put_off_and_does_not_stop_the_others(make_job):
    make_job("succeeds", name="extract")
    make_job("succeeds", name="load", depends_on="extract")
    bad, good = run_inline("extract"), run_inline("extract")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE cronjobs_jobexecution SET scheduled_for = %s WHERE id = %s", [IMPOSSIBLE, bad.pk])

    assert sweep().decided == 1
    assert flow_of(good)["load"] == "queued"
    waiting = JobExecution.objects.filter(followup_due__gt=database_now_plus(timedelta(seconds=50)))
    assert list(waiting.values_list("pk", flat=True)) == [bad.pk]

    JobExecution.objects.filter(pk=bad.pk).update(scheduled_for=NOON, followup_due=DatabaseNow())
    sweep()
    assert flow_of(bad)["load"] == "queued"


def test_what_is_asked_about_flows_goes_through_indexes(make_job):
    if connection.vendor == "mysql":
        pytest.skip("MariaDB's statistics are not those of this transaction")
    make_job("noop", name="extract", overlap="allow")
    make_job("noop", name="load", depends_on="extract")
    root = run_inline("extract")
    columns = ("scheduled_for", "due_at", "run_after", "claim_at", "queued_at")
    times = {each: getattr(root, each) for each in columns}
    JobExecution.objects.bulk_create(
        [JobExecution(job_name="extract", status="succeeded", **times) for _ in range(5_000)], batch_size=500
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE cronjobs_jobexecution")

    with CaptureQueriesContext(connection) as captured:
        assert sweep().decided == 1

    selects = [each["sql"] for each in captured.captured_queries if each["sql"].startswith("SELECT")]
    asked = [sql for sql in selects if "flow" in sql]
    assert len(asked) == 3
    plans = {sql: plans_of(sql) for sql in asked}
    assert not [
        sql for sql, plan in plans.items() if any(reads_whole(each, JobExecution._meta.db_table) for each in plan)
    ]


def test_a_hundred_and_more_endings_are_followed_up_in_one_go(make_job):
    make_job("noop", name="extract", overlap="allow")
    make_job("noop", name="load", depends_on="extract")
    make_job("noop", name="report", depends_on="load")
    Job.objects.filter(name="load").update(enabled=False)
    roots = [run_inline("extract") for _ in range(BATCH + 20)]

    assert sweep().decided == 2 * len(roots)
    assert sweep().decided == 0

    assert JobExecution.objects.filter(job_name="report", status="skipped").count() == len(roots)
