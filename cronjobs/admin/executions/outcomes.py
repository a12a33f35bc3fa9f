"""What is said to a person who cancelled executions or had them run again: what happened, to how many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.contrib import messages
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from cronjobs.admin.jobs.running import Queued, explain
from cronjobs.models.moves import Cancellation
from cronjobs.models.reruns import Rerun

# Messages travel in the session or a cookie.
_MOST_NAMED = 10


def explain_cancellation(done: Cancellation, *, of: int) -> Iterator[tuple[int, str]]:
    """Yield messages, with their levels, about `of` executions that were to be cancelled."""
    cancelled, asked, before = len(done.cancelled), len(done.asked), len(done.asked_before)
    if cancelled:
        text = ngettext("%d execution was cancelled.", "%d executions were cancelled.", cancelled)
        yield messages.SUCCESS, text % cancelled
    if asked:
        text = ngettext(
            "%d execution runs, and was asked to stop: it is cancelled when its code has ended.",
            "%d executions run, and were asked to stop: they are cancelled when their code has ended.",
            asked,
        )
        yield messages.SUCCESS, text % asked
    if before:
        text = ngettext(
            "%d execution had been asked to stop before.", "%d executions had been asked to stop before.", before
        )
        yield messages.INFO, text % before
    if ended := of - cancelled - asked - before:
        text = ngettext(
            "%d execution had ended already, and stays as it is.",
            "%d executions had ended already, and stay as they are.",
            ended,
        )
        yield messages.WARNING, text % ended


def explain_reruns(
    queued: Sequence[Queued], repeats: Sequence[Rerun], refusals: Sequence[str]
) -> list[tuple[int, str]]:
    """Return messages, with their levels: about what was queued, what was being run again already, and what cannot be."""
    found = explain(queued)
    found += [(messages.INFO, text) for text in _named([_repeat(each) for each in repeats])]
    found += [(messages.ERROR, text) for text in _named(refusals)]
    return found


def _repeat(rerun: Rerun) -> str:
    facts = {"id": rerun.execution.retry_of_id, "rerun": rerun.execution.pk}
    return _("Nothing was queued twice: execution #%(id)d is being run again already, as #%(rerun)d.") % facts


def _named(sentences: Sequence[str]) -> Iterator[str]:
    yield from sentences[:_MOST_NAMED]
    more = len(sentences) - _MOST_NAMED
    if more > 0:
        yield ngettext("%d more like this.", "%d more like these.", more) % more
