"""The preview beside a job's form."""

from __future__ import annotations

import pytest

from cronjobs.models import Calendar, Job
from tests.integration.admin.pages import JOBS

pytestmark = pytest.mark.django_db
URL = f"{JOBS}preview/"


def shown(client, **fields):
    answer = client.get(URL, {"name": "new", "definition": "noop", "enabled": "on", **fields})
    assert answer.status_code == 200
    return answer.content.decode()


def test_it_shows_the_schedule_in_words_and_the_next_due_times(superuser):
    page = shown(superuser, schedule="30 7 * * mon-fri", time_zone="Asia/Kathmandu")

    assert "Monday through Friday (Asia/Kathmandu)" in page
    assert page.count("<li") == 5
    # 07:30 in Kathmandu is 01:45 UTC.
    assert page.count("01:45:00 UTC") == 5


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"schedule": "61 * * * *"}, "minute: &#x27;61&#x27; is not in 0–59"),
        ({"schedule": "0 0 30 2 *"}, "no date ever matches"),
        ({"schedule": "* * * * *", "time_zone": "Europe/Berln"}, "Europe/Berlin"),
        ({"schedule": "<b> * * * *"}, "&lt;b&gt;"),
        ({"schedule": "* * * * *", "starts_at_0": "soon", "starts_at_1": "noon"}, "Enter a valid"),
        ({"schedule": "* * * * *", "calendar": "77"}, "Select a valid choice"),
    ],
)
def test_a_mistake_is_a_sentence(superuser, fields, sentence):
    page = shown(superuser, **fields)

    assert sentence in page
    assert "<li" not in page


def test_it_knows_the_window_and_the_calendar(superuser):
    calendar = Calendar.objects.create(name="holidays", dates=["2190-01-02"])

    page = shown(
        superuser,
        schedule="0 0 * * *",
        starts_at_0="2190-01-01",
        starts_at_1="00:00:00",
        ends_at_0="2190-01-04",
        ends_at_1="00:00:00",
        calendar=calendar.pk,
    )

    assert page.count("<li") == 3
    assert page.count("does not run\n") == 1


def test_the_stored_job_gives_what_the_form_leaves_out_and_stays_as_it_is(superuser, make_job):
    job = make_job("noop", schedule="0 5 * * *")

    page = shown(superuser, job=job.pk, schedule="0 6 * * *", on_demand="")

    assert "06:00" in page
    assert Job.objects.get(pk=job.pk).schedule == "0 5 * * *"


@pytest.mark.parametrize("number", ["", "x", "-1", "9" * 30, "0"])
def test_an_odd_job_number_is_a_new_job(superuser, number):
    assert shown(superuser, job=number, schedule="@daily").count("<li") == 5
