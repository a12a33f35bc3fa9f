"""The buttons, the action and the page that run a job by hand."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.helpers import ActionForm
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from cronjobs import permissions
from cronjobs.admin import rendering
from cronjobs.admin.actors import actor_of
from cronjobs.admin.pages import PageAdmin
from cronjobs.admin.running import Queued, Refused, explain, run_now
from cronjobs.journal import record_execution
from cronjobs.models import Job
from cronjobs.models.loading import load_job
from cronjobs.registry import registry

TOKEN = "run_token"  # noqa: S105 - the name of a field


def new_token() -> str:
    """Return what tells one rendering of a button from another, so that a double click counts once."""
    return uuid.uuid4().hex


class TokenActionForm(ActionForm):
    """The list's choice of actions, with a token for the one that runs jobs."""

    run_token = forms.CharField(label="", required=False, initial=new_token, widget=forms.HiddenInput)


class RunNowAdmin(PageAdmin):
    """What a job's admin needs to let people run it: a permission, an action, a button and a page."""

    action_form = TokenActionForm

    def has_run_permission(self, request: HttpRequest, obj: Job | None = None) -> bool:
        """Return whether the person may run a job by hand."""
        return self.has_view_permission(request, obj) and request.user.has_perm(permissions.RUN_JOBS)

    @admin.action(description=gettext_lazy("Run selected jobs now"), permissions=["run"])
    def run_now(self, request: HttpRequest, jobs: QuerySet[Job]) -> None:
        token = request.POST.get(TOKEN, "")
        self._report_answers(request, run_now(jobs, user=request.user.get_username(), token=token))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.run_view)
        return [path("<path:object_id>/run/", view, name="cronjobs_job_run"), *super().get_urls()]

    def run_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Answer GET with the page that asks for parameters or for a yes, POST by queueing an execution."""
        job = self.get_object(request, unquote(object_id))
        if not self.has_run_permission(request, job):
            raise PermissionDenied
        if job is None:
            raise Http404
        form = _form(job, request.POST if request.method == "POST" else None)
        if request.method != "POST" or (form is not None and not form.is_valid()):
            if form is not None and form.is_bound:
                # As it was typed: what is masked in it was put in for the check only.
                form.data = request.POST
            return self._run_page(request, job, form)
        params = {} if form is None else _parameters(job, form)
        token = request.POST.get(TOKEN, "")
        answers = run_now([job], user=request.user.get_username(), token=token, params=params)
        self._report_answers(request, answers)
        return HttpResponseRedirect(self._url_after_run(request, answers[0]))

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        obj: Job | None = context["original"]
        if obj is not None:
            context["may_run"] = self.has_run_permission(request, obj) and not self.stored(obj).why_broken()
            context["has_params_form"] = _form_class(self.stored(obj)) is not None
            context["run_token"] = new_token()
        return super().render_change_form(request, context, *args, **kwargs)

    def stored(self, job: Job) -> Job:
        """Return the job as it is in the database: a form with mistakes leaves them on the object it shows."""
        if hasattr(job, "listed"):
            return job
        # Once for a page.
        shown: Any = job
        if not hasattr(shown, "as_stored"):
            shown.as_stored = load_job(Job.objects.filter(pk=job.pk).select_related("calendar")) or job
        stored: Job = shown.as_stored
        return stored

    def _report_answers(self, request: HttpRequest, answers: list[Queued | Refused]) -> None:
        for level, text in explain(answers):
            self.message_user(request, text, level)
        for each in answers:
            if isinstance(each, Queued) and not each.is_repeat:
                record_execution(actor_of(request), each.job, each.execution)

    def _url_after_run(self, request: HttpRequest, answer: Queued | Refused) -> str:
        site = self.admin_site.name
        if isinstance(answer, Queued) and request.user.has_perm(permissions.VIEW_EXECUTIONS):
            return reverse("admin:cronjobs_jobexecution_change", args=[answer.execution.pk], current_app=site)
        return reverse("admin:cronjobs_job_change", args=[answer.job.pk], current_app=site)

    def _run_page(self, request: HttpRequest, job: Job, form: forms.Form | None) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": _("Run %s now") % job,
            "opts": self.opts,
            "original": job,
            "form": form,
            "reason": job.why_broken(),
            "params": None if form is not None or not job.params else rendering.pretty_json(job.params),
            "run_token": request.POST.get(TOKEN) or new_token(),
            "media": self.media if form is None else self.media + form.media,
        }
        return TemplateResponse(request, "admin/cronjobs/job/run.html", context)


def _form_class(job: Job) -> type[forms.Form] | None:
    return registry[job.definition].params_form if job.definition in registry else None


def _form(job: Job, data: QueryDict | None) -> forms.Form | None:
    form_class = _form_class(job)
    if form_class is None:
        return None
    stored = _stored(job)
    if data is None:
        return form_class(initial=rendering.masked(stored))
    return form_class(data=_unmasked(data, stored))


def _stored(job: Job) -> dict[str, Any]:
    """Return the parameters of the definition and the job."""
    own = job.params if isinstance(job.params, dict) else {}
    return {**registry[job.definition].params, **own}


def _unmasked(data: QueryDict, stored: Mapping[str, Any]) -> QueryDict:
    """Return what was posted, with masked values that were left alone as they are stored."""
    posted, shown = data.copy(), rendering.masked(stored)
    for name, value in stored.items():
        if shown[name] != value and posted.get(name) == shown[name]:
            posted[name] = value
    return posted


def _parameters(job: Job, form: forms.Form) -> dict[str, Any]:
    """Return what the form came to as data that the same form will understand again."""
    stored = _stored(job)
    cleaned = {name: value for name, value in form.cleaned_data.items() if value is not None or name in stored}
    return {name: _raw(form.fields[name], value) for name, value in cleaned.items()}


def _raw(field: forms.Field, value: Any) -> Any:
    # A date's own field would answer in the zone of this request; a row's would answer with the row itself.
    is_row = isinstance(field, forms.ModelChoiceField)
    return field.prepare_value(value) if is_row else value
