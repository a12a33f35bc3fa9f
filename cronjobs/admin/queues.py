"""Queues in the admin: what waits and runs in each, and the buttons that pause, resume and limit them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from cronjobs.admin import rendering
from cronjobs.admin.actors import actor_of
from cronjobs.admin.asking import ask_about, is_answered
from cronjobs.admin.badges import Tone, badge
from cronjobs.admin.pages import PageAdmin, message_of
from cronjobs.conf import settings_or_defaults
from cronjobs.database import engine_alias, in_transaction
from cronjobs.journal import Change, record_changes
from cronjobs.models import Queue
from cronjobs.models.queue import queues_in_use


class QueueAdmin(PageAdmin):
    """Queues. One row stands for all: while it is paused, nothing is scheduled and nothing is started."""

    list_display = (
        "shown_name",
        "shown_state",
        "shown_limit",
        "shown_waiting",
        "shown_dispatched",
        "shown_running",
        "shown_description",
    )
    list_display_links = ("shown_name",)
    fields = ("name", "limit", "paused", "description")
    search_fields = ("name", "description")
    ordering = ("name",)
    sortable_by = ("shown_name",)
    actions = ("pause", "resume")

    @admin.display(description=gettext_lazy("name"), ordering="name")
    def shown_name(self, queue: Queue) -> str:
        return _("Everything") if queue.is_everything else queue.name

    @admin.display(description=gettext_lazy("state"))
    def shown_state(self, queue: Queue) -> str:
        if not queue.paused:
            return badge(_("Open"), Tone.GOOD)
        hint = _("Nothing is scheduled and nothing is started.") if queue.is_everything else _("What runs goes on.")
        return badge(_("Paused"), Tone.ODD, title=hint)

    @admin.display(description=gettext_lazy("most at once"))
    def shown_limit(self, queue: Queue) -> str:
        return rendering.nothing() if queue.limit is None else rendering.labelled(_("Most at once"), str(queue.limit))

    @admin.display(description=gettext_lazy("waiting"))
    def shown_waiting(self, queue: Any) -> str:
        return _number(queue, _("Waiting"), queue.waiting)

    @admin.display(description=gettext_lazy("with the broker"))
    def shown_dispatched(self, queue: Any) -> str:
        return _number(queue, _("With the broker"), queue.dispatched)

    @admin.display(description=gettext_lazy("running"))
    def shown_running(self, queue: Any) -> str:
        return _number(queue, _("Running"), queue.running)

    @admin.display(description=gettext_lazy("description"))
    def shown_description(self, queue: Queue) -> str:
        return queue.description or rendering.nothing()

    @admin.action(description=gettext_lazy("Pause selected queues"), permissions=["change"])
    def pause(self, request: HttpRequest, queues: QuerySet[Queue]) -> HttpResponse | None:
        found = list(queues)
        concerned = [each for each in found if not each.paused]
        is_grave = len(concerned) > 1 or any(each.is_everything for each in concerned)
        if is_grave and not is_answered(request):
            return self._ask(request, concerned, rest=len(found) - len(concerned))
        done, rest = self._switch(request, queues, paused=True)
        self._report(request, done, ngettext("%d queue was paused.", "%d queues were paused.", done))
        self._report_rest(request, rest, ngettext("%d was paused already.", "%d were paused already.", rest))
        return None

    @admin.action(description=gettext_lazy("Resume selected queues"), permissions=["change"])
    def resume(self, request: HttpRequest, queues: QuerySet[Queue]) -> None:
        done, rest = self._switch(request, queues, paused=False)
        self._report(request, done, ngettext("%d queue was resumed.", "%d queues were resumed.", done))
        self._report_rest(request, rest, ngettext("%d was not paused.", "%d were not paused.", rest))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Queue]:
        queues: Any = super().get_queryset(request)
        counted: QuerySet[Queue] = queues.with_counts()
        return counted

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        if settings_or_defaults().celery_app:
            return self.list_display
        return tuple(each for each in self.list_display if each != "shown_dispatched")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        missing = sorted(queues_in_use(engine_alias(Queue)) - set(Queue.objects.values_list("name", flat=True)))
        return super().changelist_view(request, {"queues_without_row": missing, **(extra_context or {})})

    def get_fieldsets(self, request: HttpRequest, obj: Queue | None = None) -> Any:
        if obj is None or not obj.is_everything:
            return super().get_fieldsets(request, obj)
        # A form does not ask before it stops the whole site, as the list does.
        where = _("Everything is paused and resumed in the list of queues.")
        return [(None, {"fields": ("name", "shown_state", "description"), "description": where})]

    def get_readonly_fields(self, request: HttpRequest, obj: Queue | None = None) -> tuple[str, ...]:
        # Under another name it would be another queue, and its executions would not follow.
        return () if obj is None else ("name", "shown_state")

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:  # noqa: FBT001, FBT002 - Django's
        return super().construct_change_message(request, form, formsets, add) if add else message_of(form)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return False

    def _ask(self, request: HttpRequest, queues: Sequence[Queue], *, rest: int) -> HttpResponse:
        """Return the page that asks before several queues, or everything, are paused."""
        count, everything = len(queues), any(each.is_everything for each in queues)
        sentences = (
            _("While everything is paused, nothing is scheduled and nothing is started on the whole site.")
            if everything
            else _("What waits in them is not started until they are resumed."),
            _("What runs goes on."),
            ngettext("%d was paused already.", "%d were paused already.", rest) % rest if rest else "",
        )
        title = ngettext("Pause %d queue", "Pause %d queues", count) % count
        if everything and count == 1:
            title = _("Pause everything")
        names = [self.shown_name(each) for each in queues]
        return ask_about(names, request, self, title=title, step=_("Pause"), sentences=sentences)

    def _switch(self, request: HttpRequest, queues: QuerySet[Queue], *, paused: bool) -> tuple[int, int]:
        """Pause or resume those of `queues` that are not so yet; return how many those and the others are."""
        ids = list(queues.values_list("pk", flat=True))
        rows = Queue.objects.filter(pk__in=ids, paused=not paused).order_by("pk")

        def work() -> int:
            changed = list(rows.select_for_update())
            Queue.objects.filter(pk__in=[each.pk for each in changed]).update(paused=paused)
            record_changes(
                actor_of(request), (Change(each, {"paused": not paused}, {"paused": paused}) for each in changed)
            )
            return len(changed)

        done = in_transaction(rows.db, work)
        return done, len(ids) - done

    def _report(self, request: HttpRequest, count: int, text: str) -> None:
        self.message_user(request, text % count, messages.SUCCESS if count else messages.WARNING)

    def _report_rest(self, request: HttpRequest, count: int, text: str) -> None:
        if count:
            self.message_user(request, text % count, messages.INFO)


def _number(queue: Queue, label: str, number: int) -> str:
    """Return how many executions of a queue there are; of everything nobody counts them here."""
    return rendering.nothing() if queue.is_everything else rendering.labelled(label, str(number))
