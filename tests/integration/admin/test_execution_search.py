"""How far back the list of executions looks for what no index finds, and that it says so."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cronjobs.admin.executions import found
from tests.integration.admin.pages import EXECUTIONS, get, text_of
from tests.integration.admin.test_executions import ids_on

SAID = "Looked back to #{} only."


@pytest.fixture
def made(make_execution, monkeypatch):
    """Six executions, of which three are looked at at a time; odd ones failed on another node."""
    monkeypatch.setattr(found, "LOOKED_AT", 3)
    odd = {"status": "failed", "error_message": "boom", "error_type": "app.Kaputt", "node": "web-2:1"}
    return [make_execution("noop", trigger="manual", **(odd if number % 2 else {})) for number in range(6)]


@pytest.mark.parametrize(
    "params",
    [
        {"q": "boom"},
        {"q": "kaputt"},
        {"q": "boom noop"},
        {"node": "web-2:1"},
        {"q": "boom", "trigger__exact": "manual"},
    ],
    ids=str,
)
def test_what_no_index_finds_is_looked_for_in_the_newest(viewer, made, params):
    page = get(viewer, EXECUTIONS, **params)

    assert ids_on(page) == [made[5].pk, made[3].pk]
    assert SAID.format(made[3].pk) in text_of(page)
    assert f"before={made[3].pk}" in page

    rest = get(viewer, EXECUTIONS, before=made[3].pk, **params)

    assert ids_on(rest) == [made[1].pk]
    assert "only." not in text_of(rest)


@pytest.mark.parametrize("status", ["failed", "succeeded"])
def test_a_search_among_one_status_looks_at_as_many_of_these(viewer, made, status):
    page = get(viewer, EXECUTIONS, q="noop", status__exact=status)

    assert ids_on(page) == [each.pk for each in reversed(made) if each.status == status]
    assert "only." not in text_of(page)


def test_a_status_is_looked_for_among_the_newest_of_a_job(viewer, made, make_execution):
    for _ in range(5):
        make_execution("fails")

    page = get(viewer, EXECUTIONS, job=made[0].job_id, status__exact="failed")

    assert ids_on(page) == [made[5].pk, made[3].pk]
    assert SAID.format(made[2].pk + 1) in text_of(page)
    further = get(viewer, EXECUTIONS, job=made[0].job_id, status__exact="failed", before=made[2].pk + 1)
    assert ids_on(further) == [made[1].pk]


@pytest.mark.parametrize("params", [{}, {"status__exact": "failed"}, {"recorded": "week"}, {"date": "2026"}], ids=str)
def test_what_an_index_finds_is_found_however_old(viewer, made, params):
    assert "only." not in text_of(get(viewer, EXECUTIONS, **params))


def test_an_id_is_found_however_old(viewer, made):
    page = get(viewer, EXECUTIONS, q=f"#{made[0].pk}")

    assert ids_on(page) == [made[0].pk]
    assert "only." not in text_of(page)


def test_a_search_within_a_date_looks_at_the_newest_of_that_date(viewer, made, make_execution):
    for _ in range(4):
        make_execution("fails", queued_at=made[0].queued_at + timedelta(days=40))

    page = get(viewer, EXECUTIONS, q="boom", date="2026-01")

    assert ids_on(page) == [made[5].pk, made[3].pk]
    assert SAID.format(made[3].pk) in text_of(page)


def test_all_that_was_found_can_be_chosen_and_no_more(superuser, made):
    data = {"action": "export_selected", "index": 0, "_selected_action": [made[5].pk], "select_across": "1"}

    response = superuser.post(f"{EXECUTIONS}?q=boom", data)

    assert response.getvalue().decode().count("boom") == 2


def test_nodes_can_be_chosen_and_one_that_is_gone_is_still_named(viewer, made, make_node):
    make_node("web-1:4711")

    page = get(viewer, EXECUTIONS)
    gone = get(viewer, EXECUTIONS, node="web-2:1")

    assert 'href="?node=web-1%3A4711"' in page
    assert "web-2:1" in text_of(gone.partition('id="changelist-filter"')[2])
    assert viewer.get(EXECUTIONS, {"node": "a\x00b"}, follow=True).redirect_chain == [(f"{EXECUTIONS}?e=1", 302)]
