"""Actions of lists that ask first: a page that says what follows, and sends the same action once more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

# So many names stand on the page that asks.
_MOST_NAMED = 100
# Django's own page that asks before it deletes sends the same.
_ANSWER = "post"


def is_answered(request: HttpRequest) -> bool:
    """Return whether the page has asked, and the answer was yes."""
    return _ANSWER in request.POST


def ask_about(
    names: Sequence[str],
    request: HttpRequest,
    page: admin.ModelAdmin[Any],
    *,
    title: str,
    step: str,
    sentences: Iterable[str],
) -> HttpResponse:
    """Return the page that asks about the rows of these names.

    `title` says what would be done, and names the button; `step` says it in a word. `sentences` tell
    what follows; empty ones are passed over.
    """
    context = {
        **page.admin_site.each_context(request),
        "title": title,
        "step": step,
        "opts": page.opts,
        "sentences": [each for each in sentences if each],
        "names": names[:_MOST_NAMED],
        "more": max(0, len(names) - _MOST_NAMED),
        "action": request.POST["action"],
        "checkbox_name": ACTION_CHECKBOX_NAME,
        "selected": request.POST.getlist(ACTION_CHECKBOX_NAME),
        "select_across": request.POST.get("select_across", "0"),
        # The list, narrowed as it was.
        "back_url": request.get_full_path(),
        "media": page.media,
    }
    return TemplateResponse(request, "admin/cronjobs/selected.html", context)
