"""A secret that a job is given, and says, is nowhere to be read."""

from __future__ import annotations

import json

import pytest
from django import forms
from django.test import Client

from cronjobs.exceptions import InvalidParameters
from cronjobs.executors.inline import run_inline
from cronjobs.models import Job, JobExecution
from cronjobs.models.moves import cancel
from cronjobs.registry import registry
from cronjobs.scheduler.plans import reconcile
from tests.commands import run_command

pytestmark = pytest.mark.django_db

SECRET = "hunter2"
PARAMS = {"password": SECRET, "address": f"postgres://ann:{SECRET}@db:5432/shop"}


@pytest.fixture
def browser(django_user_model):
    client = Client()
    client.force_login(django_user_model.objects.create_superuser("ann"))
    return client


@pytest.fixture
def execution(db):
    Job.objects.ensure([registry["leaks"]])
    return run_inline("leaks", params=PARAMS)


def test_what_a_job_says_is_masked_before_it_is_stored(execution, caplog):
    attempt = execution.attempts.get()
    assert execution.error_message == "{'api_key': '***'} is refused by postgres://***@db:5432/shop"
    assert "ConnectionError: {'api_key': '***'} is refused" in execution.traceback
    lines = [(each.message, each.data) for each in execution.log_lines.all()]
    assert lines == [
        ("Connecting with password=***", {"address": "postgres://***@db:5432/shop", "args": "--token ***"}),
        ("Authorization: ***", {"logger": "somebody.else"}),
        ("secret: ***", {"stream": "stdout"}),
    ]
    for text in (execution.traceback, attempt.error_message, attempt.traceback, execution.reason):
        assert SECRET not in text
    own = [each for each in caplog.get_records("setup") if each.name.startswith("cronjobs")]
    assert own
    assert SECRET not in "".join(f"{each.getMessage()} {vars(each).get('data')}" for each in own)


def test_parameters_are_stored_as_given_for_the_job_needs_them(execution):
    assert JobExecution.objects.get(pk=execution.pk).params == PARAMS


@pytest.mark.parametrize(
    "path",
    [
        "/admin/cronjobs/jobexecution/",
        "/admin/cronjobs/jobexecution/{execution.pk}/change/",
        "/admin/cronjobs/job/",
        "/admin/cronjobs/job/{execution.job_id}/change/",
        "/admin/cronjobs/job/{execution.job_id}/run/",
        "/cron/executions/{execution.pk}",
        "/cron/status",
    ],
)
def test_no_page_shows_it(browser, execution, path):
    Job.objects.filter(pk=execution.job_id).update(params=PARAMS)

    answer = browser.get(path.format(execution=execution))

    assert answer.status_code == 200
    assert SECRET not in answer.content.decode()


@pytest.mark.parametrize(
    "arguments", [("cronstatus",), ("cronstatus", "--json"), ("croncheck",), ("croncheck", "--json")]
)
def test_no_command_prints_it(execution, arguments):
    Job.objects.filter(pk=execution.job_id).update(params=PARAMS)

    outcome = run_command(*arguments)

    assert "leaks" in outcome.out or arguments[0] == "croncheck"
    assert SECRET not in outcome.out + outcome.err


@pytest.mark.parametrize("options", [(), ("--json",), ("--verbosity", "2"), ("--queue",)])
def test_a_job_run_by_hand_prints_nothing_of_it(execution, options):
    given = [f"--param={name}={value}" for name, value in PARAMS.items()]

    outcome = run_command("runjob", "leaks", *given, *options)

    assert SECRET not in outcome.out + outcome.err


class BluntForm(forms.Form):
    """Says in a sentence of its own what it does not take any more."""

    days = forms.IntegerField(required=False)
    refuses = False

    def clean(self):
        if self.refuses:
            raise forms.ValidationError(f"refused with token={SECRET}")


class ChoosyForm(forms.Form):
    """Quotes what it does not take."""

    password = forms.ChoiceField(choices=[("a", "a")])
    days = forms.IntegerField(initial=1)


@pytest.fixture
def choosy(cronjobs_job):
    @cronjobs_job("choosy", params_form=ChoosyForm)
    def choosy(context, *, password, days):
        """Take one password only."""

    return choosy


def test_what_a_form_says_of_a_secret_does_not_quote_it(choosy, browser):
    with pytest.raises(InvalidParameters, match=r"password: Select a valid choice\. \*\*\* is not one") as caught:
        choosy.clean({"password": SECRET})

    body = json.dumps({"params": {"password": SECRET, "days": "many"}})
    found = browser.post("/cron/execute/choosy", body, content_type="application/json").json()

    assert SECRET not in str(caught.value)
    assert found["code"] == "invalid_parameters"
    assert found["errors"] == {
        "password": ["Select a valid choice. *** is not one of the available choices."],
        "days": ["Enter a whole number."],
    }
    assert SECRET not in found["error"]
    assert "days: Enter a whole number." in found["error"]


@pytest.fixture
def blunt(cronjobs_job):
    @cronjobs_job("blunt", params_form=BluntForm)
    def blunt(context, *, days=None):
        """Do nothing."""

    return blunt


def test_what_keeps_an_execution_from_running_again_does_not_quote_it(blunt, monkeypatch):
    execution = run_inline("blunt")
    monkeypatch.setattr(BluntForm, "refuses", True)

    for arguments in ([], ["--json"]):
        out, err, code = run_command("cronretry", str(execution.pk), *arguments)

        assert code == 1
        assert "token=***" in err
        assert SECRET not in out + err


def test_what_breaks_a_job_does_not_quote_it(caplog):
    Job.objects.filter(name="leaks").update(schedule="* * * * *", time_zone=f"token={SECRET}")

    reconcile(run_inline("noop").queued_at)

    broken = Job.objects.get(name="leaks")
    assert "token=***" in broken.broken_reason
    assert SECRET not in broken.broken_reason + broken.why_broken() + caplog.text


def test_the_reason_of_who_calls_it_off_is_masked():
    execution = JobExecution.objects.request("noop")

    cancel(JobExecution.objects.filter(pk=execution.pk), reason=f"wrong --token {SECRET} given", by="ann")

    execution.refresh_from_db()
    assert (execution.reason, execution.cancel_reason) == ("wrong --token *** given",) * 2
