"""What ends a member of a flow and is followed up, once: also what was cancelled, lost, or is run again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cronjobs.database import database_now_plus, read_clock
from cronjobs.executors.inline import perform_inline, run_inline
from cronjobs.models import Job, JobExecution
from cronjobs.models.moves import abandon, cancel, claim, record, rescue
from cronjobs.runner import Claim, perform
from tests.integration.conftest import NOON
from tests.integration.flows.walking import flow_of, named, perform_all, run_again, sweep

pytestmark = pytest.mark.django_db


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
