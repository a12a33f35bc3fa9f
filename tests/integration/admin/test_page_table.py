"""The table of pages, by which accessibility and translation are tested, has every page of the admin."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.urls import resolve

from tests.pages.rows import filled_site
from tests.pages.table import Rows

# Django's own, with nothing of ours on them.
DJANGOS = {f"{name}_delete" for name in ("calendar", "apikey")}
# Nobody may, whoever asks: they answer 403.
REFUSED = {
    f"{name}_{verb}"
    for name in ("jobexecution", "node", "celeryworker", "auditentry", "alert")
    for verb in ("add", "delete")
}
# Files to keep, and rows for a script, made by the template that the page has: nothing to look at.
NO_PAGES = {"jobexecution_export", "jobexecution_log_text", "jobexecution_log_new"}


def names(patterns: Any) -> Iterator[str]:
    for each in patterns:
        if hasattr(each, "url_patterns"):
            yield from names(each.url_patterns)
        elif (each.name or "").startswith("cronjobs_"):
            yield each.name.removeprefix("cronjobs_")


@pytest.mark.django_db
def test_every_page_is_in_the_table():
    with filled_site() as ids:
        rows = Rows(ids)
        covered = {resolve(page.url.partition("?")[0]).url_name for page in [*rows.pages(), *rows.texts()]}

    missing = set(names(admin.site.get_urls())) - {str(name).removeprefix("cronjobs_") for name in covered}
    assert missing - DJANGOS - REFUSED - NO_PAGES == set()
