"""What no database, page or document can hold is shown, everywhere, as what it was replaced by."""

from __future__ import annotations

import math
from typing import Any

import pytest
from django.test import Client
from rest_framework.authtoken.models import Token

from cronjobs.executors.inline import run_inline
from cronjobs.models import Job, JobExecution
from tests.integration.admin.pages import EXECUTIONS, JOBS, change_url, get, text_of
from tests.integration.api.callers import document

pytestmark = pytest.mark.django_db

ODD = "a\x00b ü \ud83d"
SHOWN = "a\ufffdb ü \ufffd"


@pytest.fixture
def api(admin_user: Any) -> Any:
    """Ask the API, and return the strictly parsed answer."""
    client = Client(headers={"Authorization": f"Token {Token.objects.create(user=admin_user).key}"})

    def ask(path: str) -> Any:
        answer = client.get(f"/cron/{path}")
        assert answer.status_code == 200, path
        return document(answer) if answer["Content-Type"] == "application/json" else answer.content.decode()

    return ask


def test_an_error_a_log_and_a_result_of_odd_text(define, admin_client, api):
    def says_odd_things(context, *, fails=False):
        context.log.progress(f"logged {ODD}")
        if fails:
            raise ValueError(ODD)
        return {"said": ODD}

    name = define(says_odd_things)
    succeeded, failed = run_inline(name), run_inline(name, params={"fails": True})

    assert api(f"executions/{succeeded.pk}")["result"]["said"] == SHOWN
    found = api(f"executions/{failed.pk}")
    assert (found["status"], found["error"]) == ("failed", f"ValueError: {SHOWN}")
    assert "in says_odd_things\n    raise ValueError(ODD)\n" in found["traceback"]
    assert found["traceback"].endswith(f"ValueError: {SHOWN}\n")
    assert [each["error"] for each in api(f"executions/{failed.pk}/attempts")["attempts"]] == [SHOWN]
    assert [each["message"] for each in api(f"executions/{failed.pk}/logs")["lines"]] == [f"logged {SHOWN}"]
    assert f" logged {SHOWN}\n" in api(f"executions/{failed.pk}/logs?format=text")
    assert [each["executionId"] for each in api("executions")["executions"]] == [failed.pk, succeeded.pk]
    page = text_of(get(admin_client, change_url(failed)))
    assert f"ValueError: {SHOWN}" in page
    assert f"logged {SHOWN}" in page
    assert SHOWN in text_of(get(admin_client, change_url(succeeded)))
    get(admin_client, EXECUTIONS)


def test_numbers_that_json_cannot_say(define, admin_client, api):
    def returns_numbers(context):
        context.log.progress("numbers", data={"ratio": math.nan})
        return {"ratio": math.nan, "max": math.inf, "min": -math.inf, "n": 1}

    execution = run_inline(define(returns_numbers))

    assert execution.status == "succeeded"
    for path in (f"executions/{execution.pk}", f"executions/{execution.pk}/tree"):
        result = api(path)["result"]
        assert {name: result[name] for name in ("ratio", "max", "min", "n")} == {
            "ratio": "NaN",
            "max": "Infinity",
            "min": "-Infinity",
            "n": 1,
        }
    assert [each["data"] for each in api(f"executions/{execution.pk}/logs")["lines"]] == [{"ratio": "NaN"}]
    assert '"max": "Infinity"' in text_of(get(admin_client, change_url(execution)))


STRANGE = ["reports/daily", "a.b", "x y", "nächtlich 日報", "..", "a%2Fb", "?q", "<b>", "n" * 100, ""]


@pytest.mark.parametrize("name", STRANGE)
def test_a_name_that_only_sql_could_give_a_job(make_job, admin_client, api, name):
    make_job("noop", name="healthy")
    job = make_job("noop", name="strange")
    execution = JobExecution.objects.request("strange")
    Job.objects.filter(pk=job.pk).update(name=name)
    JobExecution.objects.filter(pk=execution.pk).update(job_name=name)

    assert {"healthy", name} <= set(api("status")["cronJobs"])
    assert {"healthy", name} <= {each["name"] for each in api("jobs?limit=1000")["jobs"]}
    assert [each["jobName"] for each in api("executions")["executions"]] == [name]
    assert api(f"executions/{execution.pk}")["jobName"] == name
    assert api(f"executions/{execution.pk}/logs")["lines"] == []
    for url in (JOBS, change_url(job), f"{JOBS}{job.pk}/history/", EXECUTIONS, change_url(execution)):
        assert name in text_of(get(admin_client, url)), url
