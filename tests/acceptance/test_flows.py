"""Flows on real nodes: joins, failures, and nodes that are killed in between."""

from __future__ import annotations

from collections import Counter

import pytest

from cronjobs.models import Job, JobExecution
from tests.integration.conftest import flow_rows
from tests.servers import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def make(transactional_db):
    """Make a job that depends on others."""

    def make(name, definition, depends_on="", **columns):
        values = {"definition": definition, "schedule": "", "depends_on": depends_on, "overlap": "allow", **columns}
        return Job.objects.update_or_create(name=name, defaults=values)[0]

    return make


def members(root):
    return {each.job_name: each for each in flow_rows(root)}


def statuses(root):
    return {name: each.status for name, each in members(root).items()}


def wait_for_end(names, *, of):
    wait_for(lambda: statuses(of).keys() == names and not flow_rows(of).open().exists())


def test_a_diamond_hands_results_down_and_a_failure_takes_its_branch(start_node, make):
    make("extract", "succeeds", params={"value": 1})
    make("left", "adds-up", "extract")
    make("right", "adds-up", "extract", params={"value": 10})
    make("join", "adds-up", "left, right")
    make("check", "fails", "left")
    make("report", "succeeds", "check")
    make("alarm", "adds-up", "check:failure")
    start_node()
    start_node()

    root = JobExecution.objects.request("extract")
    wait_for_end({"extract", "left", "right", "join", "check", "report", "alarm"}, of=root)

    found = members(root)
    assert {name: found[name].result["value"] for name in ("left", "right", "join")} == {
        "left": 1,
        "right": 11,
        "join": 12,
    }
    assert found["join"].upstream_id in {found["left"].pk, found["right"].pk}
    assert (found["report"].status, found["report"].reason) == ("skipped", f"check #{found['check'].pk} failed.")
    assert (found["alarm"].status, found["alarm"].result) == ("succeeded", {"value": 0})


def test_a_node_killed_in_between_leaves_the_rest_of_the_flow_to_others(start_node, marks, make):
    for name, upstream in (("a", ""), ("b", "a"), ("c", "b"), ("d", "c")):
        marks.job(name, seconds=0.3, depends_on=upstream, rerun_lost=True)
    first = start_node()
    roots = [JobExecution.objects.request("a") for _ in range(8)]
    wait_for(lambda: JobExecution.objects.filter(job_name="b").exists())

    first.process.kill()
    first.process.wait()
    start_node()

    for root in roots:
        wait_for_end({"a", "b", "c", "d"}, of=root)
        assert set(statuses(root).values()) == {"succeeded"}
    assert Counter(JobExecution.objects.values_list("job_name", flat=True)) == dict.fromkeys("abcd", len(roots))


def test_fifty_flows_on_three_nodes_run_each_dependent_once(start_node, marks, make):
    flows = 50
    marks.job("extract")
    marks.job("left", depends_on="extract")
    marks.job("right", depends_on="extract")
    marks.job("join", depends_on="left, right")
    for _ in range(3):
        start_node()

    roots = [JobExecution.objects.request("extract") for _ in range(flows)]
    wait_for(lambda: JobExecution.objects.filter(job_name="join", status="succeeded").count() == flows)

    assert [statuses(root) for root in roots] == [
        dict.fromkeys(("extract", "left", "right", "join"), "succeeded")
    ] * flows
    assert JobExecution.objects.count() == 4 * flows
    assert Counter(line[0] for line in marks.lines()) == {str(each.pk): 1 for each in JobExecution.objects.all()}
    assert not JobExecution.objects.filter(followup_due__isnull=False).exists()
