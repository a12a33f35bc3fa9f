"""Flows in the admin: the tree on an execution's page, and the order of jobs."""

from __future__ import annotations

import re

import pytest

from cronjobs.admin.executions import flows
from cronjobs.models import Job, JobExecution
from tests.integration.admin.pages import JOBS, change_url, get, text_of


def row_of(source, job):
    """Return what a person reads in the row of a job."""
    row = source.partition(f'class="field-name"><a href="{change_url(job)}"')[2].partition("</tr>")[0]
    return text_of(row).replace(" ,", ",")


@pytest.fixture
def flow(make_job, make_execution):
    """A root, a failure that was run again below it, and what it had stopped."""
    for name, depends_on in (("extract", ""), ("load", "extract"), ("report", "load")):
        make_job("noop", name=name, depends_on=depends_on)
    extract = make_execution("extract")
    load = make_execution("load", status="failed", flow=extract.pk, upstream=extract, error_message="no\nroom")
    reason = f"load #{load.pk} failed."
    report = make_execution("report", status="skipped", flow=extract.pk, upstream=load, reason=reason, started_at=None)
    again = make_execution("load", status="running", flow=extract.pk, retry_of=load, trigger="retry")
    return {"extract": extract, "load": load, "report": report, "again": again}


def tree_of(source):
    """Return the lines of the tree: indent and words."""
    section = source.partition('id="flow"')[2].partition("</section>")[0]
    rows = section.split("<tr")[2:]
    return [(int(re.search(r"cron-indent-(\d+)", row)[1]), text_of(row.partition(">")[2])) for row in rows]


@pytest.mark.parametrize("name", ["extract", "load", "report", "again"])
def test_every_member_shows_the_whole_flow(viewer, flow, name):
    lines = tree_of(get(viewer, change_url(flow[name])))

    assert [indent for indent, _ in lines] == [0, 1, 2, 2]
    words = [text.split(" ")[:3] for _, text in lines]
    assert words == [
        ["extract", f"#{flow['extract'].pk}", "Succeeded"],
        ["load", f"#{flow['load'].pk}", "Failed"],
        ["report", f"#{flow['report'].pk}", "Skipped"],
        ["load", f"#{flow['again'].pk}", "Running"],
    ]
    assert lines[1][1].endswith("room")
    assert lines[2][1].endswith(f"load #{flow['load'].pk} failed.")


def test_the_others_are_links_and_the_page_is_not_its_own(viewer, flow):
    source = get(viewer, change_url(flow["load"])).partition('id="flow"')[2].partition("</section>")[0]

    assert f'href="{change_url(flow["report"])}"' in source
    assert f'href="{change_url(flow["load"])}"' not in source
    assert source.count('aria-current="true"') == 1


def test_an_execution_that_nothing_depends_on_has_no_flow(viewer, make_execution):
    assert 'id="flow"' not in get(viewer, change_url(make_execution()))


def test_one_that_says_to_be_below_itself_is_shown_as_what_it_is(viewer, make_execution):
    execution = make_execution()
    JobExecution.objects.filter(pk=execution.pk).update(flow=execution.pk)

    assert f"#{execution.pk}" in get(viewer, change_url(execution))


def test_a_large_flow_is_cut(viewer, flow, monkeypatch):
    monkeypatch.setattr(flows, "MOST", 2)

    source = get(viewer, change_url(flow["extract"]))

    assert len(tree_of(source)) == 2
    assert "Only its first 2 executions are shown." in text_of(source)


def test_text_in_a_flow_is_escaped(viewer, flow):
    type(flow["load"]).objects.filter(pk=flow["load"].pk).update(error_message="<b>evil</b>", job_name="<b>evil</b>")

    assert "<b>evil" not in get(viewer, change_url(flow["extract"]))


def test_the_list_says_what_runs_after_what(viewer, make_job):
    extract = make_job("noop", name="extract", schedule="@hourly")
    load = make_job("noop", name="load", depends_on="extract")
    make_job("noop", name="alarm", depends_on="load:failure, extract:always")

    source = get(viewer, JOBS)

    assert "(UTC) @hourly Followed by alarm (however it ends), load" in row_of(source, extract)
    assert "After extract Followed by alarm (on failure)" in row_of(source, load)
    assert "On demand" not in row_of(source, load)
    assert f'After <a href="{change_url(extract)}">extract</a>' in source


def test_the_page_of_a_job_says_it_too(viewer, operator, make_job):
    make_job("noop", name="extract")
    load = make_job("noop", name="load", depends_on="extract")
    report = make_job("noop", name="report", depends_on="load, ghost")

    for who in (viewer, operator):
        assert "After extract Followed by report" in text_of(get(who, change_url(load)))
        text = text_of(get(who, change_url(report)))
        assert "After load , ghost (no such job)" in text
        assert "Never runs after others There is no job named 'ghost'." in text


def test_a_name_that_sql_has_written_is_escaped(viewer, make_job):
    make_job("noop", name="<b>evil</b>", depends_on="extract")
    Job.objects.filter(name="extract").delete()
    make_job("noop", name="load", depends_on="extract")

    assert "<b>evil" not in get(viewer, JOBS)
