"""The four ways to switch a job off and on: what each takes, changes and says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from cronjobs import permissions
from cronjobs.admin.running import named
from cronjobs.admin.staff import nobody_at_work
from cronjobs.database import engine_alias, in_transaction
from cronjobs.journal import Change, record_changes
from cronjobs.models import Job, Node
from cronjobs.models.pausing import why_everything_is_paused
from cronjobs.security import Actor

Text = tuple[int, str]

INDEFINITELY_PAUSED: Final = Q(paused=True, paused_until__isnull=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """A way to switch jobs. `concerns`: those that are not so yet; `values`: what makes them so.

    `stops`: afterwards less runs than before. `done` and `rest` say how many jobs were switched, and how many
    were so already; `several` says what is to be done with so many; `one` and `one_already` say it of one by its name.
    """

    name: str
    permission: str
    label: Any
    stops: bool
    concerns: Q
    values: Mapping[str, Any]
    done: Callable[[int], str]
    rest: Callable[[int], str]
    several: Callable[[int], str]
    one: Any
    one_already: Any


SWITCHES: Final = {
    each.name: each
    for each in (
        Switch(
            name="pause",
            permission=permissions.PAUSE_JOBS,
            label=gettext_lazy("Pause"),
            stops=True,
            concerns=~INDEFINITELY_PAUSED,
            values={"paused": True, "paused_until": None},
            done=lambda count: ngettext("%d job was paused.", "%d jobs were paused.", count) % count,
            rest=lambda count: ngettext("%d was paused already.", "%d were paused already.", count) % count,
            several=lambda count: ngettext("Pause %d job", "Pause %d jobs", count) % count,
            one=gettext_lazy(
                "%(job)s was paused: it is not due until somebody resumes it. What runs or waits goes on."
            ),
            one_already=gettext_lazy("%(job)s was paused already."),
        ),
        Switch(
            name="resume",
            permission=permissions.RESUME_JOBS,
            label=gettext_lazy("Resume"),
            stops=False,
            concerns=Q(paused=True),
            values={"paused": False, "paused_until": None},
            done=lambda count: ngettext("%d job was resumed.", "%d jobs were resumed.", count) % count,
            rest=lambda count: ngettext("%d was not paused.", "%d were not paused.", count) % count,
            several=lambda count: ngettext("Resume %d job", "Resume %d jobs", count) % count,
            one=gettext_lazy("%(job)s was resumed. What was due meanwhile is not made up for."),
            one_already=gettext_lazy("%(job)s was not paused."),
        ),
        Switch(
            name="enable",
            permission=permissions.ENABLE_JOBS,
            label=gettext_lazy("Enable"),
            stops=False,
            concerns=Q(enabled=False),
            values={"enabled": True},
            done=lambda count: ngettext("%d job was enabled.", "%d jobs were enabled.", count) % count,
            rest=lambda count: ngettext("%d was enabled already.", "%d were enabled already.", count) % count,
            several=lambda count: ngettext("Enable %d job", "Enable %d jobs", count) % count,
            one=gettext_lazy("%(job)s was enabled. What was due meanwhile is not made up for."),
            one_already=gettext_lazy("%(job)s was enabled already."),
        ),
        Switch(
            name="disable",
            permission=permissions.DISABLE_JOBS,
            label=gettext_lazy("Disable"),
            stops=True,
            concerns=Q(enabled=True),
            values={"enabled": False},
            done=lambda count: ngettext("%d job was disabled.", "%d jobs were disabled.", count) % count,
            rest=lambda count: ngettext("%d was disabled already.", "%d were disabled already.", count) % count,
            several=lambda count: ngettext("Disable %d job", "Disable %d jobs", count) % count,
            one=gettext_lazy("%(job)s was disabled: it is not due until it is enabled. What runs or waits goes on."),
            one_already=gettext_lazy("%(job)s was disabled already."),
        ),
    )
}


def apply(switch: Switch, jobs: QuerySet[Job], *, actor: Actor) -> tuple[list[Job], int]:
    """Switch those of `jobs` that are not so yet and record it; return these, and how many the others are."""
    ids = list(jobs.values_list("pk", flat=True))
    alias = engine_alias(Job)

    def work() -> list[Job]:
        rows = Job.objects.using(alias)
        # Only what is switched and said: another column might hold what cannot be read.
        columns = ("name", "enabled", "paused", "paused_until")
        changed = list(rows.filter(switch.concerns, pk__in=ids).only(*columns).order_by("pk").select_for_update())
        rows.filter(pk__in=[job.pk for job in changed]).update(**switch.values, updated_at=timezone.now())
        record_changes(actor, (_change(job, switch.values) for job in changed))
        return changed

    changed = in_transaction(alias, work)
    for job in changed:
        for column, value in switch.values.items():
            setattr(job, column, value)
    return changed, len(ids) - len(changed)


def explain(switch: Switch, changed: Sequence[Job], rest: int) -> Iterable[Text]:
    """Yield what was done, with the level of each message, and what to expect of it."""
    count = len(changed)
    yield messages.SUCCESS if count else messages.WARNING, switch.done(count)
    if rest:
        yield messages.INFO, switch.rest(rest)
    yield from _caveats(switch, changed)


def explain_one(switch: Switch, job: Job, changed: Sequence[Job]) -> Iterable[Text]:
    """Yield what was done with one job, and what to expect of it."""
    if changed:
        yield messages.SUCCESS, switch.one % {"job": job.name}
    else:
        yield messages.INFO, switch.one_already % {"job": job.name}
    yield from _caveats(switch, changed)
    # The list says so anyway.
    if changed and not switch.stops and (reason := nobody_at_work(Node.objects.staff())):
        yield messages.WARNING, reason


def _change(job: Job, values: Mapping[str, Any]) -> Change:
    return Change(job, {column: getattr(job, column) for column in values}, dict(values)).without_what_stayed()


def _caveats(switch: Switch, changed: Sequence[Job]) -> Iterable[Text]:
    """Yield why jobs that were switched on do not run all the same."""
    if switch.stops or not changed:
        return
    now = timezone.now()
    if disabled := [each for each in changed if not each.enabled]:
        yield messages.WARNING, _("Still disabled, and so not due: %(jobs)s.") % named(disabled)
    if paused := [each for each in changed if each.is_paused_at(now)]:
        yield messages.WARNING, _("Still paused, and so not due: %(jobs)s.") % named(paused)
    if why_everything_is_paused():
        yield messages.WARNING, _("Nothing is due for now: everything is paused.")
