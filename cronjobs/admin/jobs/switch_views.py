"""The buttons, the actions and the page that switch jobs off and on."""

from __future__ import annotations

from functools import partial

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect, QueryDict
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext, gettext_lazy, ngettext

from cronjobs import permissions
from cronjobs.admin.actors import actor_of
from cronjobs.admin.asking import ask_about, is_answered
from cronjobs.admin.jobs.switches import SWITCHES, Switch, apply, explain, explain_one
from cronjobs.admin.pages import PageAdmin
from cronjobs.models import Job

# In which a switch of the list says where it stands.
LIST_QUERY = "list_query"


class SwitchAdmin(PageAdmin):
    """What a job's admin needs to let people switch it: permissions, actions, buttons and a page that asks.

    One job is switched at once, since the same button undoes it. To stop several is asked about first: no click
    brings back the mixture that they were.
    """

    def has_pause_permission(self, request: HttpRequest, obj: Job | None = None) -> bool:
        """Return whether the person may pause jobs."""
        return self.may_switch(request, "pause", obj)

    def has_resume_permission(self, request: HttpRequest, obj: Job | None = None) -> bool:
        """Return whether the person may resume jobs."""
        return self.may_switch(request, "resume", obj)

    def has_enable_permission(self, request: HttpRequest, obj: Job | None = None) -> bool:
        """Return whether the person may enable jobs."""
        return self.may_switch(request, "enable", obj)

    def has_disable_permission(self, request: HttpRequest, obj: Job | None = None) -> bool:
        """Return whether the person may disable jobs."""
        return self.may_switch(request, "disable", obj)

    def may_switch(self, request: HttpRequest, name: str, obj: Job | None = None) -> bool:
        """Return whether the person may use the switch of that name."""
        return self.has_view_permission(request, obj) and permissions.may(request.user, SWITCHES[name].permission)

    @admin.action(description=gettext_lazy("Pause selected jobs"), permissions=["pause"])
    def pause(self, request: HttpRequest, jobs: QuerySet[Job]) -> HttpResponse | None:
        return self._switch_selected(request, SWITCHES["pause"], jobs)

    @admin.action(description=gettext_lazy("Resume selected jobs"), permissions=["resume"])
    def resume(self, request: HttpRequest, jobs: QuerySet[Job]) -> HttpResponse | None:
        return self._switch_selected(request, SWITCHES["resume"], jobs)

    @admin.action(description=gettext_lazy("Enable selected jobs"), permissions=["enable"])
    def enable(self, request: HttpRequest, jobs: QuerySet[Job]) -> HttpResponse | None:
        return self._switch_selected(request, SWITCHES["enable"], jobs)

    @admin.action(description=gettext_lazy("Disable selected jobs"), permissions=["disable"])
    def disable(self, request: HttpRequest, jobs: QuerySet[Job]) -> HttpResponse | None:
        return self._switch_selected(request, SWITCHES["disable"], jobs)

    def get_urls(self) -> list[URLPattern]:
        views = {name: self.admin_site.admin_view(partial(self.switch_view, name=name)) for name in SWITCHES}
        paths = [path(f"<path:object_id>/{name}/", view, name=f"cronjobs_job_{name}") for name, view in views.items()]
        return [*paths, *super().get_urls()]

    def switch_view(self, request: HttpRequest, object_id: str, *, name: str) -> HttpResponse:
        """Answer POST by switching one job, and lead back to where the button was."""
        job = self.get_object(request, unquote(object_id))
        if not self.may_switch(request, name, job):
            raise PermissionDenied
        if job is None:
            raise Http404
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        changed, _ = apply(SWITCHES[name], Job.objects.filter(pk=job.pk), actor=actor_of(request))
        for level, text in explain_one(SWITCHES[name], job, changed):
            self.message_user(request, text, level)
        return HttpResponseRedirect(self._url_after_switch(request, job))

    def offered_switches(self, request: HttpRequest, job: Job) -> list[tuple[Switch, str]]:
        """Return the switches that would change the job and that the person may use, with their addresses."""
        names = ["resume" if job.paused else "pause", "disable" if job.enabled else "enable"]
        return [
            (SWITCHES[name], reverse(f"admin:cronjobs_job_{name}", args=[job.pk], current_app=self.admin_site.name))
            for name in names
            if self.may_switch(request, name, job)
        ]

    def _url_after_switch(self, request: HttpRequest, job: Job) -> str:
        site = self.admin_site.name
        if LIST_QUERY not in request.POST:
            return reverse("admin:cronjobs_job_change", args=[job.pk], current_app=site)
        query = QueryDict(request.POST[LIST_QUERY]).urlencode()
        # The switch itself, so that whoever uses a keyboard goes on from there.
        return f"{reverse('admin:cronjobs_job_changelist', current_app=site)}?{query}#cron-switch-{job.pk}"

    def _switch_selected(self, request: HttpRequest, switch: Switch, jobs: QuerySet[Job]) -> HttpResponse | None:
        ids = list(jobs.values_list("pk", flat=True))
        concerned = Job.objects.filter(switch.concerns, pk__in=ids).order_by("name")
        if switch.stops and not is_answered(request) and concerned.count() > 1:
            return self._switch_page(request, switch, concerned, rest=len(ids) - concerned.count())
        for level, text in explain(switch, *apply(switch, jobs, actor=actor_of(request))):
            self.message_user(request, text, level)
        return None

    def _switch_page(self, request: HttpRequest, switch: Switch, jobs: QuerySet[Job], *, rest: int) -> HttpResponse:
        names = list(jobs.values_list("name", flat=True))
        ends = jobs.filter(paused=True).count() if switch.name == "pause" else 0
        forgotten = ngettext(
            "%d of them is paused until a given time, which is forgotten.",
            "%d of them are paused until a given time, which is forgotten.",
            ends,
        )
        sentences = (
            gettext(
                "They are not due any more until they are switched on again, and what would have been due meanwhile is not made up for. What runs or waits goes on."
            ),
            forgotten % ends if ends else "",
            switch.rest(rest) if rest else "",
        )
        title = switch.several(len(names))
        return ask_about(names, request, self, title=title, step=str(switch.label), sentences=sentences)
