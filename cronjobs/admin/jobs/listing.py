"""Jobs in the admin: what they do next, what they did last, and the buttons for those who may press them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from cronjobs import permissions
from cronjobs.admin import rendering
from cronjobs.admin.badges import status_badge
from cronjobs.admin.filters import BrokenFilter
from cronjobs.admin.jobs import conditions, fieldsets
from cronjobs.admin.jobs.columns import NEXT_RUNS, JobList, Listed, next_runs
from cronjobs.admin.jobs.defaults import DefaultsAdmin
from cronjobs.admin.jobs.durations import durations
from cronjobs.admin.jobs.effective import effective_table, set_here
from cronjobs.admin.jobs.filters import DefinitionFilter, OutcomeFilter, OwnerFilter, QueueFilter
from cronjobs.admin.jobs.form import JobForm
from cronjobs.admin.jobs.order import JobOrder
from cronjobs.admin.jobs.preview import PreviewAdmin
from cronjobs.admin.jobs.run_view import RunNowAdmin
from cronjobs.admin.jobs.switch_views import SwitchAdmin
from cronjobs.admin.windows import WIDE
from cronjobs.journal import Message, change_message
from cronjobs.models import Job, JobExecution
from cronjobs.models.loading import load_job
from cronjobs.models.pausing import why_everything_is_paused
from cronjobs.registry import registry
from cronjobs.scheduler.agenda import coming_run_times

_LATEST = 10
_FILTERS = (BrokenFilter, OutcomeFilter, DefinitionFilter, QueueFilter, OwnerFilter)


class JobAdmin(PreviewAdmin, RunNowAdmin, SwitchAdmin, DefaultsAdmin):
    """Jobs. Saving one only saves it: the nodes notice by themselves."""

    class Media:
        js = ("cronjobs/preview.js", "cronjobs/defaults.js")

    form = JobForm
    list_display = (
        "name",
        "shown_switch",
        "shown_schedule",
        "shown_next_run",
        "shown_last_execution",
        "shown_durations",
    )
    list_select_related = ("calendar",)
    list_filter = ("enabled", "paused", *_FILTERS)
    search_fields = ("name", "definition", "description", "owner")
    search_help_text = gettext_lazy("In names, definitions, descriptions and owners.")
    ordering = ("name",)
    sortable_by = ("name",)
    show_full_result_count = False
    actions = ("run_now", "pause", "resume", "enable", "disable")
    readonly_fields = fieldsets.READ_ONLY

    @admin.display(description=gettext_lazy("schedule"))
    def shown_schedule(self, job: Job) -> str:
        order = _listed(job).order
        after = order.after(job)
        # "On demand" says nothing about a job that runs after others.
        schedule = "" if after and not job.schedule_text() else conditions.schedule_in_words(job)
        return rendering.lines(schedule, after, order.followers(job), order.warning(job))

    @admin.display(description=gettext_lazy("order"))
    def shown_order(self, job: Job) -> str:
        order = JobOrder()
        return rendering.lines(order.after(job), order.followers(job), order.warning(job)) or rendering.NOTHING

    @admin.display(description=gettext_lazy("next runs"))
    def shown_next_run(self, job: Job) -> str:
        now = timezone.now()
        # The list has asked for all of them at once.
        is_listed = hasattr(job, "listed")
        times = _listed(job).coming if is_listed else self._coming(job, now)
        return next_runs(times, now=now)

    @admin.display(description=gettext_lazy("last execution"))
    def shown_last_execution(self, job: Job) -> str:
        execution, now = _listed(job).last_execution, timezone.now()
        if execution is None:
            return rendering.nothing()
        moment = rendering.brief_moment(execution.started_at or execution.scheduled_for, now=now)
        took = rendering.running_time(execution, now=now)
        return rendering.lines(
            status_badge(execution.status), moment, "" if took == rendering.NOTHING else rendering.quiet(took)
        )

    @admin.display(description=gettext_lazy("last runs"))
    def shown_durations(self, job: Job) -> str:
        return durations(_listed(job).runs)

    @admin.display(description=gettext_lazy("state"))
    def shown_switch(self, job: Job) -> str:
        url = _listed(job).switch_url
        if url is None:
            return conditions.condition(job, timezone.now())
        switch = conditions.switch(job, url=url, name=_("%(job)s is enabled") % {"job": job.name})
        return rendering.lines(switch, *conditions.hindrances(job, timezone.now()))

    @admin.display(description=gettext_lazy("state"))
    def shown_condition(self, job: Job) -> str:
        return conditions.condition(self.stored(job), timezone.now())

    @admin.display(description=gettext_lazy("created"))
    def shown_created_at(self, job: Job) -> str:
        return rendering.moment(job.created_at)

    @admin.display(description=gettext_lazy("changed"))
    def shown_updated_at(self, job: Job) -> str:
        return rendering.moment(job.updated_at)

    @admin.display(description=gettext_lazy("parameters"))
    def shown_params(self, job: Job) -> str:
        return rendering.pretty_json(job.params)

    @admin.display(description=gettext_lazy("effective values"))
    def shown_effective(self, job: Job) -> str:
        return effective_table(job)

    @admin.display(description=gettext_lazy("set here"))
    def shown_set_here(self, job: Job) -> str:
        columns = set_here(self.stored(job))
        names = (capfirst(str(Job._meta.get_field(each).verbose_name)) for each in columns)  # type: ignore[union-attr]  # noqa: SLF001 - columns; Django's documented API
        return ", ".join(names) or _("Nothing: all values are defaults.")

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Job | None:
        # Also one whose row cannot be read: who would mend it must see the rest.
        try:
            pk = Job._meta.pk.to_python(object_id)  # noqa: SLF001 - Django's documented API
        except ValidationError:
            return None
        return load_job(self.get_queryset(request).filter(pk=pk))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[JobList]:
        return JobList

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        # A lookup into the parameters could be used to guess what is masked in them.
        return lookup in {"enabled__exact", "paused__exact", *(each.parameter_name for each in _FILTERS)}

    def get_fieldsets(self, request: HttpRequest, obj: Job | None = None) -> Any:
        may_edit = self.has_add_permission(request) if obj is None else self.has_change_permission(request, obj)
        if not may_edit:
            return fieldsets.TO_LOOK_AT
        return fieldsets.to_edit(is_new=obj is None, set_here=() if obj is None else set_here(obj))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if (complaint := self._complaint(request)) is not None:
            return complaint
        context = {"is_everything_paused": bool(why_everything_is_paused()), **(extra_context or {})}
        return super().changelist_view(request, context)

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Message:  # noqa: FBT001, FBT002 - Django's
        if add:
            return super().construct_change_message(request, form, formsets, add)
        return change_message(form.change())

    def save_model(self, request: HttpRequest, obj: Job, form: Any, change: bool) -> None:  # noqa: FBT001 - Django's
        if not change:
            super().save_model(request, obj, form, change)
        elif columns := form.changed_columns():
            # Only these: a node may write the others at the same time.
            obj.save(update_fields=[*columns, "updated_at"])

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        obj: Job | None = context["original"]
        context["may_edit"] = (
            self.has_add_permission(request) if obj is None else self.has_change_permission(request, obj)
        )
        if obj is not None:
            context["latest"] = self._latest_executions(request, obj)
            stored = self.stored(obj)
            context["switches"] = self.offered_switches(request, stored)
            context["has_overrides"] = context["may_edit"] and bool(set_here(stored))
        return super().render_change_form(request, context, *args, **kwargs)

    def render_delete_form(self, request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
        job = context["object"]
        context["comes_back"] = job.name in registry and registry.is_available(registry[job.name])
        context["open_count"] = job.executions.open().count()
        return super().render_delete_form(request, context)

    def _latest_executions(self, request: HttpRequest, job: Job) -> list[tuple[JobExecution, str, str, str]]:
        if not request.user.has_perm(permissions.VIEW_EXECUTIONS):
            return []
        now = timezone.now()
        rows = job.executions.order_by("-id").defer(*WIDE)
        return [
            (
                each,
                status_badge(each.status),
                rendering.moment(each.started_at or each.scheduled_for),
                rendering.running_time(each, now=now),
            )
            for each in rows[:_LATEST]
        ]

    def _coming(self, job: Job, now: datetime) -> tuple[datetime, ...]:
        stored = self.stored(job)
        return coming_run_times([stored], count=NEXT_RUNS, now=now)[stored.pk]


def _listed(job: Any) -> Listed:
    """Return what the list has found out about a job on its page."""
    listed: Listed = job.listed
    return listed
