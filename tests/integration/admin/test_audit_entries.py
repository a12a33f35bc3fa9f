"""The audit in the admin."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from cronjobs.admin.windows import WindowPaginator
from tests.integration.admin.conftest import AT
from tests.integration.admin.pages import AUDIT, change_url, get, text_of


def targets_on(source):
    """Return the targets of the rows that a list shows, from top to bottom."""
    return re.findall(r'class="field-shown_target"><span[^>]*>([^<]*)<', source)


def test_an_entry_says_who_did_what_from_where_and_how_it_ended(viewer, make_entry):
    entry = make_entry(
        outcome="refused", status=403, code="permission_denied", count=17, last_at=AT + timedelta(seconds=9)
    )

    for url in (AUDIT, change_url(entry)):
        text = text_of(get(viewer, url))
        for part in ("Refused", "olive", "cron_0123456789", "POST", "job-pause", "noop", "203.0.113.9", "403", "17"):
            assert part in text
        assert "permission_denied" in text
        assert "2026-01-15 11:30:00" in text
    assert "2026-01-15 11:30:09" in text


def test_the_newest_comes_first_whatever_the_address_asks_for(viewer, make_entry):
    for name in ("b", "c", "a"):
        make_entry(target=name)

    assert targets_on(get(viewer, AUDIT)) == ["a", "c", "b"]
    assert targets_on(get(viewer, AUDIT, o="1.2")) == ["a", "c", "b"]


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({"outcome__exact": "refused"}, ["forbidden", "unknown"]),
        ({"code": "permission_denied"}, ["forbidden"]),
        ({"address": "198.51.100.7"}, ["unknown"]),
        ({"past": "hour"}, ["done"]),
        ({"past": "week"}, ["done", "forbidden"]),
        ({"code": "of-no-entry"}, []),
        ({"q": "oliv"}, ["done", "forbidden"]),
        ({"q": "forb"}, ["forbidden"]),
        ({"q": "cron_0123456789"}, ["done", "forbidden"]),
        ({"q": "198.51"}, ["unknown"]),
    ],
)
def test_the_list_is_narrowed(viewer, make_entry, params, found):
    now = timezone.now()
    nobody = {"who": "", "credential": "", "address": "198.51.100.7", "code": "not_authenticated"}
    make_entry(outcome="refused", status=401, target="unknown", at=now - timedelta(days=8), **nobody)
    refused = {"outcome": "refused", "status": 403, "code": "permission_denied"}
    make_entry(target="forbidden", at=now - timedelta(days=2), **refused)
    make_entry(target="done", at=now - timedelta(minutes=2))

    assert targets_on(get(viewer, AUDIT, **params)) == found


def test_what_there_is_of_late_can_be_chosen(viewer, make_entry):
    for number in range(30):
        make_entry(address=f"203.0.113.{number}", code="job_failed" if number else "")
    make_entry(address="203.0.113.29")

    source = get(viewer, AUDIT)

    assert "?code=job_failed" in source
    assert "?address=203.0.113.29" in source
    assert source.count("?address=") == 20


@pytest.mark.parametrize("params", [{"past": "year"}, {"code": "\0"}, {"who__startswith": "o"}, {"before": "x"}])
def test_what_cannot_be_asked_is_not_answered(viewer, make_entry, params):
    make_entry()

    assert viewer.get(AUDIT, params).status_code in {302, 400}


def test_the_list_goes_on_beyond_its_end(viewer, make_entry, monkeypatch):
    monkeypatch.setattr(WindowPaginator, "size", 2)
    entries = [make_entry(target=f"number-{number}") for number in range(3)]

    source = get(viewer, AUDIT)
    assert "2+ entries" in text_of(source)
    assert f"?before={entries[1].pk}" in source

    source = get(viewer, AUDIT, before=entries[1].pk)
    assert targets_on(source) == ["number-0"]
    assert "1 entry" in text_of(source)


def test_text_of_callers_is_escaped(viewer, make_entry):
    entry = make_entry(who="<b>who</b>", target="<b>target</b>", address="<b>address</b>", code="<b>code</b>")

    for url in (AUDIT, change_url(entry)):
        assert "<b>" not in get(viewer, url)


def test_there_is_no_permission_but_to_view(db):
    codenames = Permission.objects.filter(content_type__app_label="cronjobs").values_list("codename", flat=True)

    assert [each for each in codenames if each.endswith(("auditentry", "suspect"))] == ["view_auditentry"]
