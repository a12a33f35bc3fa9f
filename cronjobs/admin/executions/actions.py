"""The buttons, the actions and the page that call executions off or run them again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from cronjobs import permissions
from cronjobs.admin.actors import actor_of
from cronjobs.admin.executions.found import selected
from cronjobs.admin.executions.outcomes import (
    MOST_NAMED,
    Selection,
    explain_cancellation,
    explain_reruns,
    explain_selection,
)
from cronjobs.admin.pages import ReadOnlyAdmin
from cronjobs.admin.running import executions_ahead, queued_answer
from cronjobs.conf import words_to_mask
from cronjobs.exceptions import CannotRetry, ExecutionNotFound
from cronjobs.journal import Change, record_changes, record_execution
from cronjobs.models import JobExecution
from cronjobs.models.moves import Cancellation, cancel
from cronjobs.models.moves.cancellations import REASON_MAX_LENGTH
from cronjobs.models.reruns import Rerun, retry
from cronjobs.parsing import row_id
from cronjobs.states import ExecutionStatus
from cronjobs.storable import storable_text

# As many as a list shows at most.
MOST_CANCELLED = 1000
# Each is a transaction of its own, within one request.
MOST_RERUN = 200


class CancelForm(forms.Form):
    """Why an execution is to stop."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        required=False,
        max_length=REASON_MAX_LENGTH,
        help_text=gettext_lazy("Kept with your name, and shown with the execution."),
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )


class ExecutionActionsAdmin(ReadOnlyAdmin):
    """What the executions' admin needs to let people intervene: permissions, actions, buttons, and a page."""

    actions: Sequence[str] = ("cancel_selected", "run_selected_again")

    def has_cancel_permission(self, request: HttpRequest, obj: JobExecution | None = None) -> bool:
        """Return whether the person may call executions off."""
        return self.has_view_permission(request, obj) and request.user.has_perm(permissions.CANCEL_EXECUTIONS)

    def has_retry_permission(self, request: HttpRequest, obj: JobExecution | None = None) -> bool:
        """Return whether the person may run executions again."""
        return self.has_view_permission(request, obj) and request.user.has_perm(permissions.RETRY_EXECUTIONS)

    @admin.action(description=gettext_lazy("Cancel selected executions"), permissions=["cancel"])
    def cancel_selected(self, request: HttpRequest, executions: QuerySet[JobExecution]) -> HttpResponse | None:
        """Ask first: nothing is cancelled but by the page that says how many wait and how many run."""
        ids = self._at_most(request, executions, MOST_CANCELLED)
        return self._cancel_several_page(request, ids, CancelForm()) if ids else None

    @admin.action(description=gettext_lazy("Run selected executions again"), permissions=["retry"])
    def run_selected_again(self, request: HttpRequest, executions: QuerySet[JobExecution]) -> None:
        # The oldest goes first, as it did before.
        self._retry(request, reversed(self._at_most(request, executions, MOST_RERUN)))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("cancel/", view(self.cancel_several_view), name="cronjobs_jobexecution_cancel_several"),
            path("<path:object_id>/cancel/", view(self.cancel_view), name="cronjobs_jobexecution_cancel"),
            path("<path:object_id>/retry/", view(self.retry_view), name="cronjobs_jobexecution_retry"),
            *super().get_urls(),
        ]

    def cancel_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Answer with the page that asks for a reason, and by cancelling to what comes from that page."""
        execution = self._permitted(request, object_id, self.has_cancel_permission)
        form = CancelForm(request.POST if "reason" in request.POST else None)
        if execution.is_final:
            self._say(request, explain_cancellation(Cancellation(), of=1))
        elif form.is_valid():
            self._cancel(request, [execution.pk], form.cleaned_data["reason"])
        else:
            return self._cancel_page(request, execution, form)
        return self._to(execution)

    def cancel_several_view(self, request: HttpRequest) -> HttpResponse:
        """Answer POST, from the page that asks about several executions, by cancelling these."""
        if not self.has_cancel_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        ids = _ids(request.POST.get("ids", ""))
        form = CancelForm(request.POST)
        if not form.is_valid():
            return self._cancel_several_page(request, ids, form) or self._to_list(request)
        self._cancel(request, ids, form.cleaned_data["reason"])
        return self._to_list(request)

    def retry_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Answer POST by queueing a repetition, and lead to it."""
        execution = self._permitted(request, object_id, self.has_retry_permission)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        (answer,) = self._retry(request, [execution.pk])
        return self._to(answer.execution if isinstance(answer, Rerun) else execution)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        obj: JobExecution | None = context["original"]
        if obj is not None:
            is_asked = obj.cancel_requested_at is not None
            is_repeatable = obj.is_final and obj.status != ExecutionStatus.MISSED and context.get("job") is not None
            context["may_cancel"] = not obj.is_final and not is_asked and self.has_cancel_permission(request, obj)
            context["may_retry"] = is_repeatable and self.has_retry_permission(request, obj)
        return super().render_change_form(request, context, *args, **kwargs)

    def _permitted(
        self, request: HttpRequest, object_id: str, has_permission: Callable[[HttpRequest, JobExecution | None], bool]
    ) -> JobExecution:
        execution: JobExecution | None = self.get_object(request, unquote(object_id))
        if not has_permission(request, execution):
            raise PermissionDenied
        if execution is None:
            raise Http404
        return execution

    def _at_most(self, request: HttpRequest, executions: QuerySet[JobExecution], most: int) -> list[int]:
        """Return the ids, newest first; of too many none, and say so."""
        ids = list(selected(request, executions).order_by("-pk").values_list("pk", flat=True)[: most + 1])
        if len(ids) <= most:
            return ids
        text = _("Nothing was done: at most %d executions can be chosen at a time.") % most
        self.message_user(request, text, messages.ERROR)
        return []

    def _cancel(self, request: HttpRequest, ids: list[int], reason: str) -> None:
        rows = JobExecution.objects.filter(pk__in=ids)
        done = cancel(rows, reason=reason, by=request.user.get_username())
        record_changes(actor_of(request), _changes(done))
        self._say(request, explain_cancellation(done, of=len(ids)))

    def _retry(self, request: HttpRequest, ids: Iterable[int]) -> list[Rerun | str]:
        ahead, user = executions_ahead(), request.user.get_username()
        answers = [_retry(pk, user) for pk in ids]
        reruns = [each for each in answers if isinstance(each, Rerun)]
        new = [each.execution for each in reruns if each.is_new]
        jobs = [(each.job, each) for each in new if each.job is not None]
        found = explain_reruns(
            [queued_answer(job, each, ahead[job.pk], is_repeat=False) for job, each in jobs],
            [each for each in reruns if not each.is_new],
            [each for each in answers if isinstance(each, str)],
        )
        self._say(request, found)
        originals = JobExecution.objects.only("job_name").in_bulk([each.retry_of_id for each in new])
        for each in new:
            if (original := originals.get(each.retry_of_id or 0)) is not None:
                record_execution(actor_of(request), original, each)
        return answers

    def _say(self, request: HttpRequest, found: Iterable[tuple[int, str]]) -> None:
        for level, text in found:
            self.message_user(request, text, level)

    def _to(self, execution: JobExecution) -> HttpResponse:
        url = reverse("admin:cronjobs_jobexecution_change", args=[execution.pk], current_app=self.admin_site.name)
        return HttpResponseRedirect(url)

    def _to_list(self, request: HttpRequest) -> HttpResponse:
        return HttpResponseRedirect(self._list_url(request))

    def _list_url(self, request: HttpRequest) -> str:
        """Return the address of the list, narrowed as it was."""
        url = reverse("admin:cronjobs_jobexecution_changelist", current_app=self.admin_site.name)
        return f"{url}?{query}" if (query := request.GET.urlencode()) else url

    def _cancel_page(self, request: HttpRequest, execution: JobExecution, form: forms.Form) -> HttpResponse:
        return self._page(
            request,
            form,
            title=_("Cancel %s") % execution,
            original=execution,
            runs=execution.status == ExecutionStatus.RUNNING,
        )

    def _cancel_several_page(self, request: HttpRequest, ids: list[int], form: forms.Form) -> HttpResponse | None:
        """Return the page that says what cancelling would do; None if it would do nothing, which is said then."""
        rows = JobExecution.objects.filter(pk__in=ids).order_by("-pk").only("job_name", "status", "cancel_requested_at")
        found = Selection.of(rows)
        if not found.open:
            self._say(request, explain_cancellation(Cancellation(), of=len(ids)))
            return None
        url = reverse("admin:cronjobs_jobexecution_cancel_several", current_app=self.admin_site.name)
        return self._page(
            request,
            form,
            title=ngettext("Cancel %d execution", "Cancel %d executions", len(found.open)) % len(found.open),
            sentences=explain_selection(found),
            executions=found.open[:MOST_NAMED],
            more=max(0, len(found.open) - MOST_NAMED),
            ids=",".join(str(each.pk) for each in found.open),
            action_url=f"{url}?{request.GET.urlencode()}",
            back_url=self._list_url(request),
        )

    def _page(self, request: HttpRequest, form: forms.Form, **variables: Any) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "form": form,
            "media": self.media + form.media,
            **variables,
        }
        return TemplateResponse(request, "admin/cronjobs/jobexecution/cancel.html", context)


def _ids(text: str) -> list[int]:
    """Return the ids that the page about several executions sent along: one field, however many there are."""
    parts = map(row_id, text.split(",")[:MOST_CANCELLED])
    return [each for each in parts if each is not None]


def _changes(done: Cancellation) -> Iterator[Change]:
    """Yield what cancelling has changed of each execution, as its history is to say."""
    rows = JobExecution.objects.only("job_name", "cancel_requested_at", "cancel_reason").order_by("pk")
    for each in rows.filter(pk__in=done.cancelled | done.asked):
        before: dict[str, Any] = {"cancel_requested_at": None, "cancel_reason": ""}
        after: dict[str, Any] = {column: getattr(each, column) for column in before}
        if each.pk in done.cancelled:
            before["status"], after["status"] = ExecutionStatus.QUEUED, ExecutionStatus.CANCELLED
        yield Change(each, before, after).without_what_stayed()


def _retry(pk: int, user: str) -> Rerun | str:
    """Return what came of it, or why nothing did."""
    try:
        return retry(pk, requested_by=user)
    except (CannotRetry, ExecutionNotFound) as error:
        return storable_text(error, mask=words_to_mask())
