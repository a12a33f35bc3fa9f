"""Executions in the admin: a list that stays fast, and a page that shows everything about one."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from cronjobs.admin import rendering
from cronjobs.admin.badges import overrun_badge, status_badge, stop_badge
from cronjobs.admin.executions.actions import ExecutionActionsAdmin
from cronjobs.admin.executions.dates import DateFilter
from cronjobs.admin.executions.durations import duration_with_bar
from cronjobs.admin.executions.export import ExecutionExportAdmin
from cronjobs.admin.executions.found import ExecutionList, number_in
from cronjobs.admin.executions.log import ExecutionLogAdmin, log_section
from cronjobs.admin.executions.page import execution_page
from cronjobs.admin.executions.progress import brief_progress
from cronjobs.admin.executions.relations import waits_for
from cronjobs.admin.filters import BeforeFilter, JobFilter, NodeFilter, RecordedFilter
from cronjobs.admin.windows import WindowPaginator
from cronjobs.models import JobExecution
from cronjobs.states import UNSUCCESSFUL, ExecutionStatus

# These have an attempt behind them that went wrong, be it the first.
_TROUBLED = UNSUCCESSFUL | {ExecutionStatus.QUEUED}


class ExecutionAdmin(ExecutionActionsAdmin, ExecutionExportAdmin, ExecutionLogAdmin):
    """The history. It is the engine's: nobody edits or deletes it here, but one may cancel and run again."""

    actions = (*ExecutionActionsAdmin.actions, "export_selected")
    list_display = (
        "shown_id",
        "shown_job",
        "shown_status",
        "shown_scheduled_for",
        "shown_started_at",
        "shown_duration",
        "shown_node",
    )
    list_display_links = ("shown_id", "shown_job")
    list_filter = ("status", RecordedFilter, "trigger", JobFilter, NodeFilter, BeforeFilter, DateFilter)
    list_per_page = 50
    search_fields = ("job_name", "error_type", "error_message")
    search_help_text = _(
        'A number: the execution of that id. Words: in the job\'s name or the error and its type ("404" in quotes).'
    )
    sortable_by = ()
    ordering = ("-id",)
    paginator = WindowPaginator
    show_full_result_count = False
    # The page is made by `execution_page`, not from form fields.
    fields = ()

    @admin.display(description=_("id"))
    def shown_id(self, execution: JobExecution) -> str:
        return f"#{execution.pk}"

    @admin.display(description=_("job"))
    def shown_job(self, execution: JobExecution) -> str:
        return rendering.lines(execution.job_name, rendering.quiet(execution.get_trigger_display()))

    @admin.display(description=_("status"))
    def shown_status(self, execution: JobExecution) -> str:
        now = timezone.now()
        marks = (status_badge(execution.status), overrun_badge(execution, now=now), stop_badge(execution))
        badges = format_html_join(" ", "{}", ((each,) for each in marks if each))
        waits = waits_for(execution)
        waiting = rendering.quiet(gettext("waits for: %(what)s") % {"what": waits}) if waits else ""
        return rendering.lines(badges, waiting, brief_progress(execution, now=now), self._explanation(execution))

    @admin.display(description=_("scheduled for"))
    def shown_scheduled_for(self, execution: JobExecution) -> str:
        said = rendering.brief_moment(execution.scheduled_for, now=timezone.now())
        return rendering.labelled(gettext("Scheduled for"), said)

    @admin.display(description=_("started"))
    def shown_started_at(self, execution: JobExecution) -> str:
        said = rendering.brief_moment(execution.started_at, now=timezone.now())
        if execution.started_at is not None:
            said = rendering.lines(said, rendering.late_by(execution.lateness))
        return rendering.labelled(gettext("Started"), said)

    @admin.display(description=_("duration"))
    def shown_duration(self, execution: JobExecution) -> str:
        said = duration_with_bar(execution, execution.usual, now=timezone.now())  # type: ignore[attr-defined]  # by the list
        attempt = self._attempt(execution)
        if said == rendering.NOTHING:
            return attempt or rendering.nothing()
        # A block: what is above it may end with the bar, which is one too.
        return format_html("{}<div>{}</div>", said, attempt) if attempt else said

    @admin.display(description=_("node"))
    def shown_node(self, execution: JobExecution) -> str:
        return rendering.one_line(execution.node) if execution.node else rendering.nothing()

    def _attempt(self, execution: JobExecution) -> str:
        """Return which attempt of how many it was; empty for a first one that went well, or none."""
        if execution.attempt < (1 if execution.status in _TROUBLED else 2):
            return ""
        facts = {"attempt": execution.attempt, "most": execution.max_attempts}
        return rendering.quiet(gettext("attempt %(attempt)d of %(most)d") % facts)

    def _explanation(self, execution: JobExecution) -> str:
        """Return the error's last line, or why it was not run, or why somebody wanted it to stop."""
        if execution.status == ExecutionStatus.CANCELLED and execution.cancel_reason:
            return rendering.one_line(execution.cancel_reason)
        error = rendering.last_line(execution.error_tail) or execution.error_type  # type: ignore[attr-defined]  # annotated
        text = error or rendering.last_line(execution.reason_tail)  # type: ignore[attr-defined]  # annotated
        return rendering.one_line(text) if text else ""

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ExecutionList]:
        return ExecutionList

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        # A lookup into a column can be used to guess what is masked in it.
        filters = (RecordedFilter, JobFilter, NodeFilter, BeforeFilter, DateFilter)
        return lookup in {"status__exact", "trigger__exact"} or lookup in {each.parameter_name for each in filters}

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[JobExecution], search_term: str
    ) -> tuple[QuerySet[JobExecution], bool]:
        if (number := number_in(search_term)) is not None:
            return queryset.filter(pk=number), False
        return super().get_search_results(request, queryset, search_term)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        obj: JobExecution | None = context["original"]
        if obj is not None:
            context.update(execution_page(obj))
            context["subtitle"] = None
            # The script that keeps the page up to date leaves the log alone.
            if request.headers.get("X-Requested-With") != "XMLHttpRequest":
                context.update(log_section(obj, page=request.GET.get("log"), level=request.GET.get("level")))
        return super().render_change_form(request, context, *args, **kwargs)
