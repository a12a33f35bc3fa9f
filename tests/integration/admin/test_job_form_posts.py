"""What a browser posts of a job's form: later than others, or with what no row can hold."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest

from cronjobs.models import Job
from tests.integration.admin.pages import JOBS, change_url, get
from tests.integration.admin.test_job_form import error_on, save


@pytest.fixture
def plain(make_job):
    """A job that inherits everything."""
    return make_job("noop", schedule=None)


class Inputs(HTMLParser):
    """What a browser would post of a page's form, hidden fields included."""

    def __init__(self) -> None:
        super().__init__()
        self.data: dict[str, Any] = {}
        self._select = self._text = ""

    def handle_starttag(self, tag, attrs):
        facts = dict(attrs)
        name, value = facts.get("name") or "", facts.get("value") or ""
        if tag == "select":
            self._select = name
        elif tag == "option" and "selected" in facts:
            self.data[self._select] = value
        elif tag == "textarea":
            self._text = name
            self.data[name] = ""
        elif tag == "input" and name and ("checked" in facts or facts.get("type") not in ("checkbox", "submit")):
            self.data[name] = value or ("on" if "checked" in facts else "")

    def handle_endtag(self, tag):
        self._text = "" if tag == "textarea" else self._text

    def handle_data(self, data):
        if self._text:
            # Browsers leave out the first line break.
            self.data[self._text] += data


def shown_inputs(client, job):
    source = get(client, change_url(job))
    parser = Inputs()
    parser.feed(re.search(r'<form[^>]*id="job_form".*?</form>', source, re.DOTALL)[0])
    return {name: value.removeprefix("\n") for name, value in parser.data.items() if name != "_selected_action"}


def test_a_form_that_was_opened_earlier_undoes_nothing_of_what_others_did(operator, make_job):
    secret = {"value": {"password": "hunter2"}}
    job = make_job("succeeds", schedule="@daily", owner="ann", paused=False, params=secret)
    data = shown_inputs(operator, job)
    Job.objects.filter(pk=job.pk).update(paused=True, owner="bob", enabled=False, schedule="@hourly")

    response = operator.post(change_url(job), {**data, "description": "mine"})

    assert response.status_code == 302, response.context["adminform"].form.errors
    job.refresh_from_db()
    assert (job.description, job.owner, job.paused, job.enabled, job.schedule) == (
        "mine",
        "bob",
        True,
        False,
        "@hourly",
    )
    assert job.params == secret


def test_what_was_opened_and_left_alone_changes_nothing(operator, make_job):
    at = datetime(2027, 5, 6, 7, 8, 9, tzinfo=UTC)
    job = make_job(
        "succeeds", schedule="@daily", starts_at=at, ends_at=at + timedelta(days=9), paused=True, paused_until=at,
        jitter=timedelta(seconds=90), memory_limit=2**29, rerun_lost=True, params={"value": [1, 2]}, description="a\nb",
    )  # fmt: skip
    before = Job.objects.filter(pk=job.pk).values().get()

    assert operator.post(change_url(job), shown_inputs(operator, job)).status_code == 302

    assert Job.objects.filter(pk=job.pk).values().get() == before


@pytest.mark.parametrize("text", ['{"a": "\\ud800"}', "[" * 2000, '{"a": ' + "9" * 5000 + "}"])
def test_json_that_cannot_be_read_or_stored_is_a_mistake_in_the_form(operator, plain, text):
    response = save(operator, plain, params=text)

    assert response.status_code == 200
    assert error_on(response, "params")
    # A page may be asked for with anything in its address.
    assert operator.get(f"{JOBS}preview/", {"job": plain.pk, "params": text}).status_code == 200


@pytest.mark.parametrize("column", ["starts_at", "ends_at", "paused_until"])
@pytest.mark.parametrize("day", ["0001-01-01", "1969-12-31", "9999-12-31"])
def test_a_time_at_the_end_of_the_calendar_is_a_mistake_in_the_form(operator, plain, column, day):
    response = save(operator, plain, paused="on", **{f"{column}_0": day, f"{column}_1": "12:00:00"})

    assert response.status_code == 200
    assert "The year" in error_on(response, column)
