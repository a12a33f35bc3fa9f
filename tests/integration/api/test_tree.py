"""`GET executions/<number>/tree`: a whole flow, from its root."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model

from cronjobs.api.executions import trees
from cronjobs.database import read_clock
from cronjobs.executors.inline import perform_inline, run_inline
from cronjobs.models import Job, JobExecution
from cronjobs.scheduler.followups import follow_up
from tests.integration.api.callers import Caller, assert_error, document, grant

pytestmark = pytest.mark.django_db


@pytest.fixture
def flow():
    """extract fails after check, so that load is skipped; alarm runs."""
    Job.objects.all().delete()
    for name, definition, depends_on in (
        ("extract", "succeeds", ""),
        ("check", "fails", "extract"),
        ("load", "noop", "check"),
        ("alarm", "noop", "check:failure"),
    ):
        Job.objects.create(name=name, definition=definition, schedule="", depends_on=depends_on)
    run_inline("extract")
    while follow_up(read_clock("default")).decided:
        for each in JobExecution.objects.filter(status="queued"):
            perform_inline(each)
    return {each.job_name: each for each in JobExecution.objects.all()}


def outline(tree):
    return (tree["jobName"], tree["status"], [outline(each) for each in tree["children"]])


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("name", ["extract", "check", "load"])
def test_every_member_leads_to_the_whole_tree(operator, flow, name, slash):
    tree = document(operator.get(f"/cron/executions/{flow[name].pk}/tree{slash}"))

    leaves = [("load", "skipped", []), ("alarm", "succeeded", [])]
    assert sorted(outline(tree)[2][0][2]) == sorted(leaves)
    assert outline(tree)[:2] == ("extract", "succeeded")
    assert tree["isCut"] is False


def test_each_execution_is_told_as_by_its_own_address(operator, flow):
    tree = document(operator.get(f"/cron/executions/{flow['extract'].pk}/tree"))
    [check] = tree.pop("children")
    check.pop("children")

    alone = document(operator.get(check["url"]))

    assert alone.pop("waitsBecause") is None
    assert {**check, "timestamp": "", "result": ""} == {**alone, "timestamp": "", "result": ""}
    assert (alone["flow"], alone["upstream"], alone["retryOf"]) == (flow["extract"].pk, flow["extract"].pk, None)


def test_an_execution_without_a_flow_is_a_tree_of_one(operator):
    execution = run_inline("noop")

    tree = document(operator.get(f"/cron/executions/{execution.pk}/tree"))

    assert outline(tree) == ("noop", "succeeded", [])


def test_a_large_flow_is_cut(operator, flow, monkeypatch):
    monkeypatch.setattr(trees, "MOST", 2)

    tree = document(operator.get(f"/cron/executions/{flow['extract'].pk}/tree"))

    assert outline(tree) == ("extract", "succeeded", [("check", "failed", [])])
    assert tree["isCut"] is True


@pytest.mark.parametrize(
    ("permission", "status"), [("view_jobexecution", 404), ("run_job", 404), ("view_job", 403), ("change_job", 403)]
)
def test_who_may_see_executions_may_see_trees(permission, status, db):
    user = get_user_model().objects.create_user("somebody")
    grant(user, permission)
    code = {404: "execution_not_found", 403: "permission_denied"}[status]

    assert_error(Caller(user).get("/cron/executions/1/tree"), status, code)


def test_nobody_is_told_to_say_who_it_is(db):
    assert_error(Caller().get("/cron/executions/1/tree"), 401, "not_authenticated")


def test_the_status_says_what_a_job_depends_on(viewer, flow):
    jobs = document(viewer.get("/cron/status"))["cronJobs"]

    assert jobs["alarm"]["dependsOn"] == {"check": "failure"}
    assert jobs["extract"]["dependsOn"] == {}
