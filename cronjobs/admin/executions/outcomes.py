"""What is said to a person who cancelled executions or had them run again: what happened, to how many."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.contrib import messages
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from cronjobs.admin.running import Queued, explain
from cronjobs.models import JobExecution
from cronjobs.models.moves import Cancellation
from cronjobs.models.reruns import Rerun
from cronjobs.states import ExecutionStatus

# Messages travel in the session or a cookie.
MOST_NAMED = 10


@dataclass(frozen=True, slots=True)
class Selection:
    """Executions that somebody may want to cancel, by where they stand; `asked` are running ones as well."""

    queued: list[JobExecution]
    running: list[JobExecution]
    asked: list[JobExecution]
    ended: list[JobExecution]

    @classmethod
    def of(cls, executions: Iterable[JobExecution]) -> Selection:
        """Return the executions, sorted."""
        found = cls([], [], [], [])
        for each in executions:
            if each.is_final:
                found.ended.append(each)
            elif each.status == ExecutionStatus.QUEUED:
                found.queued.append(each)
            else:
                (found.running if each.cancel_requested_at is None else found.asked).append(each)
        return found

    @property
    def open(self) -> list[JobExecution]:
        """Those that something would be done to, newest first."""
        return sorted([*self.queued, *self.running], key=lambda each: -each.pk)


def explain_selection(found: Selection) -> list[str]:
    """Return sentences about what cancelling these would do."""
    queued, running, asked, ended = (len(each) for each in (found.queued, found.running, found.asked, found.ended))
    sentences = [
        (running, ngettext(
            "%d execution runs. It will be asked to stop, and is cancelled when its code has really ended.",
            "%d executions run. They will be asked to stop, and are cancelled when their code has really ended.",
            running,
        )),
        (queued, ngettext(
            "%d execution waits. It is cancelled at once.",
            "%d executions wait. They are cancelled at once.",
            queued,
        )),
        (asked, ngettext(
            "%d execution has been asked to stop before; nothing more is done to it.",
            "%d executions have been asked to stop before; nothing more is done to them.",
            asked,
        )),
        (ended, ngettext(
            "%d execution has ended already, and stays as it is.",
            "%d executions have ended already, and stay as they are.",
            ended,
        )),
    ]  # fmt: skip
    return [text % number for number, text in sentences if number]


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
    yield from sentences[:MOST_NAMED]
    more = len(sentences) - MOST_NAMED
    if more > 0:
        yield ngettext("%d more like this.", "%d more like these.", more) % more
