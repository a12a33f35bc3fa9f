"""Days on which jobs do not run."""

from __future__ import annotations

import pytest

from cronjobs.models import Calendar
from tests.integration.admin.pages import CALENDARS, change_url, get, text_of


def test_dates_are_written_one_on_each_line(superuser):
    superuser.post(f"{CALENDARS}add/", {"name": "holidays", "dates": "2026-12-26\r\n\r\n 2026-12-25 \n2026-12-25"})

    calendar = Calendar.objects.get()
    assert calendar.dates == ["2026-12-25", "2026-12-26"]
    assert "2026-12-25\n2026-12-26</textarea>" in get(superuser, change_url(calendar))
    assert "holidays 2" in text_of(get(superuser, CALENDARS))


@pytest.mark.parametrize("text", ["tomorrow", "2026-02-30", "<b>"])
def test_what_is_no_date_is_refused(superuser, text):
    response = superuser.post(f"{CALENDARS}add/", {"name": "holidays", "dates": f"2026-12-25\n{text}"})

    assert "dates" in response.context["adminform"].form.errors
    assert "<b>" not in response.content.decode()
    assert not Calendar.objects.exists()


def test_a_calendar_without_dates_is_allowed(superuser):
    superuser.post(f"{CALENDARS}add/", {"name": "holidays", "dates": ""})

    assert Calendar.objects.get().dates == []


def test_a_calendar_that_a_job_uses_is_not_deleted(superuser, make_job):
    calendar = Calendar.objects.create(name="holidays")
    make_job("noop", calendar=calendar)

    page = superuser.post(f"{CALENDARS}{calendar.pk}/delete/", {"post": "yes"})

    assert "protected" in text_of(page.content.decode())
    assert Calendar.objects.exists()


def test_a_list_with_a_calendar_that_holds_something_else_opens(superuser):
    Calendar.objects.create(name="odd", dates={"2026": 1})

    assert "odd 0" in text_of(get(superuser, CALENDARS))
