"""Jobs in the admin: what they do next, what they did last, and the buttons for those who may press them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import ValidationError
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy, ngettext

from cronjobs import permissions
from cronjobs.admin import rendering
from cronjobs.admin.badges import status_badge
from cronjobs.admin.executions.flows import JobOrder
from cronjobs.admin.filters import BrokenFilter
from cronjobs.admin.jobs import conditions
from cronjobs.admin.jobs.effective import effective_table
from cronjobs.admin.jobs.form import JobForm
from cronjobs.admin.jobs.preview import PreviewAdmin
from cronjobs.admin.jobs.run_view import RunNowAdmin
from cronjobs.admin.windows import WIDE
from cronjobs.database import engine_alias, in_transaction
from cronjobs.models import Job, JobExecution
from cronjobs.models.loading import load_job, load_jobs
from cronjobs.registry import registry
from cronjobs.scheduler.agenda import next_run_times

INDEFINITELY_PAUSED = Q(paused=True, paused_until__isnull=True)

_LATEST = 10
_IDENTITY = ("name", "definition", "description", "owner")
_STATE = ("shown_condition", "shown_next_run", "shown_order", "shown_created_at", "shown_updated_at")
_FIELDSETS: tuple[Any, ...] = (
    (None, {"fields": _IDENTITY}),
    (gettext_lazy("State"), {"fields": _STATE}),
    (
        gettext_lazy("When"),
        {
            "fields": (
                ("schedule", "on_demand"),
                "time_zone",
                "enabled",
                ("paused", "paused_until"),
                ("starts_at", "ends_at"),
                "calendar",
                "jitter",
            ),
            "description": gettext_lazy(
                "A changed, enabled or resumed job starts from now: what was due before is not made up for."
            ),
        },
    ),
    (gettext_lazy("With what"), {"fields": ("params",)}),
    (
        gettext_lazy("Late or overlapping"),
        {"fields": ("misfire_grace", "catch_up", "overlap", "max_instances"), "classes": ("collapse",)},
    ),
    (
        gettext_lazy("Retries"),
        {
            "fields": ("max_attempts", "initial_delay", "max_delay", "backoff_multiplier", "rerun_lost"),
            "classes": ("collapse",),
        },
    ),
    (gettext_lazy("Queue"), {"fields": ("queue", "priority", "rate_limit"), "classes": ("collapse",)}),
    (
        gettext_lazy("Limits"),
        {"fields": ("executor", "timeout", "memory_limit", "cpu_limit"), "classes": ("collapse",)},
    ),
    (gettext_lazy("Dependencies"), {"fields": ("depends_on",), "classes": ("collapse",)}),
)
# What somebody sees who may not change it: values as they take effect, secrets masked.
_VIEW_FIELDSETS: tuple[Any, ...] = (
    (None, {"fields": _IDENTITY}),
    (gettext_lazy("State"), {"fields": _STATE}),
    (
        gettext_lazy("Effective values"),
        {"fields": ("shown_params", "starts_at", "ends_at", "calendar", "shown_effective")},
    ),
)


class JobList(ChangeList):
    """The list of jobs, with what other tables say about those on the page."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        jobs: list[Any] = load_jobs(self.result_list)
        history = JobExecution.objects.filter(job=OuterRef("pk")).order_by("-id")
        last = Job.objects.filter(pk__in=[job.pk for job in jobs]).annotate(last_id=Subquery(history.values("pk")[:1]))
        last_ids = dict(last.order_by().values_list("pk", "last_id"))
        executions = JobExecution.objects.defer(*WIDE).in_bulk({pk for pk in last_ids.values() if pk is not None})
        times, order = next_run_times(), JobOrder()
        for job in jobs:
            job.order = order
            job.last_execution = executions.get(last_ids.get(job.pk))
            job.next_run_at = times.get(job.pk)
        self.result_list = jobs


class JobAdmin(PreviewAdmin, RunNowAdmin):
    """Jobs. Saving one only saves it: the nodes notice by themselves."""

    class Media:
        js = ("cronjobs/preview.js",)

    form = JobForm
    list_display = ("name", "shown_condition", "shown_schedule", "shown_next_run", "shown_last_execution")
    list_select_related = ("calendar",)
    list_filter = ("enabled", "paused", BrokenFilter)
    search_fields = ("name", "definition", "description", "owner")
    ordering = ("name",)
    sortable_by = ("name",)
    actions = ("run_now", "pause", "resume", "enable", "disable")
    fieldsets = _FIELDSETS
    readonly_fields = (*_STATE, "shown_params", "shown_effective")

    @admin.display(description=gettext_lazy("schedule"))
    def shown_schedule(self, job: Job) -> str:
        order: JobOrder = job.order  # type: ignore[attr-defined]  # set by the list
        after = order.after(job)
        # "On demand" says nothing about a job that runs after others.
        schedule = "" if after and not job.schedule_text() else conditions.schedule_in_words(job)
        return rendering.lines(schedule, after, order.followers(job), order.warning(job))

    @admin.display(description=gettext_lazy("order"))
    def shown_order(self, job: Job) -> str:
        order = JobOrder()
        return rendering.lines(order.after(job), order.followers(job), order.warning(job)) or rendering.NOTHING

    @admin.display(description=gettext_lazy("next run"))
    def shown_next_run(self, job: Job) -> str:
        # The list has asked for all of them at once.
        at = job.next_run_at if hasattr(job, "next_run_at") else next_run_times().get(job.pk)
        return rendering.ahead(at, now=timezone.now())

    @admin.display(description=gettext_lazy("last execution"))
    def shown_last_execution(self, job: Job) -> str:
        execution: JobExecution | None = job.last_execution  # type: ignore[attr-defined]  # set by the list
        if execution is None:
            return rendering.NOTHING
        moment = rendering.brief_moment(execution.started_at or execution.scheduled_for, now=timezone.now())
        return rendering.lines(status_badge(execution.status), moment)

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

    @admin.action(description=gettext_lazy("Pause selected jobs"), permissions=["change"])
    def pause(self, request: HttpRequest, jobs: QuerySet[Job]) -> None:
        done, rest = self._switch(request, jobs, ~INDEFINITELY_PAUSED, paused=True, paused_until=None)
        self._report(request, done, ngettext("%d job was paused.", "%d jobs were paused.", done))
        self._report_rest(request, rest, ngettext("%d was paused already.", "%d were paused already.", rest))

    @admin.action(description=gettext_lazy("Resume selected jobs"), permissions=["change"])
    def resume(self, request: HttpRequest, jobs: QuerySet[Job]) -> None:
        done, rest = self._switch(request, jobs, Q(paused=True), paused=False, paused_until=None)
        self._report(request, done, ngettext("%d job was resumed.", "%d jobs were resumed.", done))
        self._report_rest(request, rest, ngettext("%d was not paused.", "%d were not paused.", rest))

    @admin.action(description=gettext_lazy("Enable selected jobs"), permissions=["change"])
    def enable(self, request: HttpRequest, jobs: QuerySet[Job]) -> None:
        done, rest = self._switch(request, jobs, Q(enabled=False), enabled=True)
        self._report(request, done, ngettext("%d job was enabled.", "%d jobs were enabled.", done))
        self._report_rest(request, rest, ngettext("%d was enabled already.", "%d were enabled already.", rest))

    @admin.action(description=gettext_lazy("Disable selected jobs"), permissions=["change"])
    def disable(self, request: HttpRequest, jobs: QuerySet[Job]) -> None:
        done, rest = self._switch(request, jobs, Q(enabled=True), enabled=False)
        self._report(request, done, ngettext("%d job was disabled.", "%d jobs were disabled.", done))
        self._report_rest(request, rest, ngettext("%d was disabled already.", "%d were disabled already.", rest))

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
        return lookup in {"enabled__exact", "paused__exact", BrokenFilter.parameter_name}

    def get_fieldsets(self, request: HttpRequest, obj: Job | None = None) -> Any:
        may_edit = self.has_add_permission(request) if obj is None else self.has_change_permission(request, obj)
        if not may_edit:
            return _VIEW_FIELDSETS
        # A new job has no state yet.
        return _FIELDSETS if obj is not None else [each for each in _FIELDSETS if each[1]["fields"] is not _STATE]

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

    def _switch(self, request: HttpRequest, jobs: QuerySet[Job], which: Q, **values: Any) -> tuple[int, int]:
        """Change those of `jobs` that are as `which` says; return how many those and the others are."""
        ids = list(jobs.values_list("pk", flat=True))
        alias = engine_alias(Job)

        def work() -> int:
            changed = list(Job.objects.using(alias).filter(which, pk__in=ids).order_by("pk").select_for_update())
            Job.objects.using(alias).filter(pk__in=[job.pk for job in changed]).update(
                **values, updated_at=timezone.now()
            )
            self._log_switch(request, changed, list(values))
            return len(changed)

        done = in_transaction(alias, work)
        return done, len(ids) - done

    def _log_switch(self, request: HttpRequest, jobs: list[Job], columns: list[str]) -> None:
        if jobs:
            message = [{"changed": {"fields": [str(Job._meta.get_field(each).verbose_name) for each in columns]}}]  # type: ignore[union-attr]  # noqa: SLF001 - columns; Django's documented API
            LogEntry.objects.log_actions(request.user.pk, jobs, CHANGE, message)  # type: ignore[arg-type]  # a logged-in user's

    def _report(self, request: HttpRequest, count: int, text: str) -> None:
        self.message_user(request, text % count, messages.SUCCESS if count else messages.WARNING)

    def _report_rest(self, request: HttpRequest, count: int, text: str) -> None:
        if count:
            self.message_user(request, text % count, messages.INFO)
