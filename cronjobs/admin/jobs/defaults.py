"""The page that gives columns of a job back to its definition and the settings."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from cronjobs.admin.actors import actor_of
from cronjobs.admin.histories import shown_value
from cronjobs.admin.jobs.effective import inherited_values, set_here, unset_value
from cronjobs.admin.pages import PageAdmin
from cronjobs.database import engine_alias, in_transaction
from cronjobs.journal import changed, record_changes, storable
from cronjobs.models import Job
from cronjobs.models.mistakes import mistakes
from cronjobs.security import Actor

COLUMN = "column"


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """A column that the job sets itself, with what it is and what it would be."""

    column: str
    label: str
    value: str
    default: str
    is_chosen: bool


class DefaultsAdmin(PageAdmin):
    """What a job's admin needs to let people restore defaults."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.defaults_view)
        return [path("<path:object_id>/defaults/", view, name="cronjobs_job_defaults"), *super().get_urls()]

    def defaults_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Answer GET with the page that asks, POST by emptying the columns that were chosen."""
        job = self.get_object(request, unquote(object_id))
        if not self.has_change_permission(request, job):
            raise PermissionDenied
        if job is None:
            raise Http404
        if request.method != "POST":
            asked = request.GET.getlist(COLUMN)
            return self._defaults_page(request, job, chosen=asked or set_here(job))
        chosen = request.POST.getlist(COLUMN)
        restored, objections = _restore(job, chosen, actor=actor_of(request))
        if objections:
            return self._defaults_page(request, job, chosen=chosen, objections=objections)
        self._report_restored(request, job, restored)
        return HttpResponseRedirect(
            reverse("admin:cronjobs_job_change", args=[job.pk], current_app=self.admin_site.name)
        )

    def _report_restored(self, request: HttpRequest, job: Job, restored: Collection[str]) -> None:
        text = ngettext(
            "%(count)d default of %(job)s was restored.", "%(count)d defaults of %(job)s were restored.", len(restored)
        )
        level = messages.SUCCESS if restored else messages.WARNING
        self.message_user(request, text % {"count": len(restored), "job": job.name}, level)

    def _defaults_page(
        self, request: HttpRequest, job: Job, *, chosen: Collection[str], objections: Collection[str] = ()
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": _("Restore defaults of %s") % job,
            "opts": self.opts,
            "original": job,
            "overrides": _overrides(job, chosen),
            "objections": objections,
            "media": self.media,
        }
        return TemplateResponse(request, "admin/cronjobs/job/defaults.html", context)


def _overrides(job: Job, chosen: Collection[str]) -> list[Override]:
    defaults = inherited_values(name=job.name, definition=job.definition)
    return [
        Override(
            column=column,
            label=capfirst(str(Job._meta.get_field(column).verbose_name)),  # type: ignore[union-attr]  # noqa: SLF001 - a column; Django's documented API
            value=shown_value(Job._meta.get_field(column), storable(getattr(job, column))),  # type: ignore[arg-type]  # noqa: SLF001 - as above
            default=defaults.get(column, _("unknown")),
            is_chosen=column in chosen,
        )
        for column in set_here(job)
    ]


def _restore(job: Job, columns: Collection[str], *, actor: Actor) -> tuple[list[str], list[str]]:
    """Empty those of `columns` that the job sets; return them, or what speaks against it: then nothing is changed."""
    alias = engine_alias(Job)

    def work() -> tuple[list[str], list[str]]:
        locked = Job.objects.using(alias).resolvable().select_for_update().named(job.name)
        before = {column: getattr(locked, column) for column in set_here(locked) if column in columns}
        wrong = mistakes(locked)
        for column in before:
            setattr(locked, column, unset_value(column))
        # What was wrong before stops nobody.
        new = {column: text for column, text in mistakes(locked).items() if text != wrong.get(column)}
        if new:
            return [], [str(text) for text in new.values()]
        if before:
            locked.save(update_fields=[*before, "updated_at"])
            record_changes(actor, [changed(locked, before)])
        return list(before), []

    return in_transaction(alias, work)
