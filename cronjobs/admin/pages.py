"""What all pages have in common, and what those have that only show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import ERROR_FLAG
from django.contrib.admin.widgets import AdminSplitDateTime
from django.core.exceptions import PermissionDenied
from django.db.models import Field, Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from cronjobs.admin import rendering
from cronjobs.admin.actors import actor_of, refusals_told
from cronjobs.admin.histories import shown_changes
from cronjobs.admin.staff import nobody_at_work
from cronjobs.admin.zones import scripts
from cronjobs.conf import get_settings, words_to_mask
from cronjobs.exceptions import InvalidSettings
from cronjobs.journal import Change, Message, change_message, tell_of_addition, tell_of_change, tell_of_deletion
from cronjobs.models import Node
from cronjobs.storable import storable_text

if TYPE_CHECKING:
    AnyModelAdmin = admin.ModelAdmin[Any]
else:
    AnyModelAdmin = admin.ModelAdmin


class PageAdmin(AnyModelAdmin):
    """What all pages need beside Django's own: a style sheet, titles that say what is shown, and labels."""

    show_facets = admin.ShowFacets.NEVER

    class Media:
        css = {"all": ("cronjobs/admin.css",)}
        js = ("cronjobs/scroll.js", *scripts())

    @property
    def urls(self) -> list[URLPattern]:
        # Of all of them, Django's own and those that subclasses add: whoever is refused is told of.
        patterns: list[URLPattern] = super().urls
        for each in patterns:
            each.callback = refusals_told(each.callback)
        return patterns

    def action_checkbox(self, obj: Model) -> SafeString:
        # The box that Django makes, without a widget and its template: those take a quarter of the time of a row.
        label = _("Select this object for an action - {}").format(obj)
        box = '<input type="checkbox" name="{}" value="{}" class="action-select" aria-label="{}">'
        return format_html(box, ACTION_CHECKBOX_NAME, obj.pk, label)

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        tell_of_addition(actor_of(request), obj)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        tell_of_change(actor_of(request), obj, message)
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        for each in queryset:
            tell_of_deletion(actor_of(request), each)
        return super().log_deletions(request, queryset)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if (complaint := self._complaint(request)) is not None:
            return complaint
        if any("\0" in value for values in request.GET.lists() for value in values[1]):
            # Not every database looks for it; Django's own answer to what makes no sense.
            return HttpResponseRedirect(f"{request.path}?{ERROR_FLAG}=1")
        title = capfirst(self.opts.verbose_name_plural)
        context = {"title": title, "nobody_at_work": nobody_at_work(Node.objects.staff()), **(extra_context or {})}
        return super().changelist_view(request, context)

    def formfield_for_dbfield(self, db_field: Field[Any, Any], request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and isinstance(field.widget, AdminSplitDateTime):
            _label_halves(field.widget, capfirst(str(field.label)))
        return field

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        complaint = self._complaint(request)
        return super().changeform_view(request, *args, **kwargs) if complaint is None else complaint

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        response = super().history_view(request, object_id, extra_context)
        if isinstance(response, TemplateResponse):
            context: dict[str, Any] = response.context_data or {}
            context["shown_entries"] = [
                (each, rendering.moment(each.action_time), shown_changes(each, self.model))
                for each in context["action_list"]
            ]
        return response

    def _complaint(self, request: HttpRequest) -> HttpResponse | None:
        """Return a page with what is wrong with the settings; None if nothing is."""
        try:
            get_settings()
        except InvalidSettings as error:
            if not self.has_view_or_change_permission(request):
                raise PermissionDenied from None
            # Without them not even what is to be masked is known.
            context = {
                **self.admin_site.each_context(request),
                "title": _("Invalid settings"),
                "content": storable_text(error, mask=words_to_mask()),
            }
            return TemplateResponse(request, "admin/base_site.html", context, status=500)
        return None


def message_of(form: Any) -> Message:
    """Return what the record is to say of a form that has been saved: the old and the new value of each column."""
    before = {column: form.initial.get(column) for column in form.changed_data}
    return change_message(Change(form.instance, before, {column: form.cleaned_data[column] for column in before}))


def _label_halves(widget: AdminSplitDateTime, label: str) -> None:
    """Give each of the two inputs a name: the label before them belongs to neither."""
    for half, text in zip(widget.widgets, (_("%(field)s: date"), _("%(field)s: time")), strict=True):
        half.attrs["aria-label"] = text % {"field": label}


class ReadOnlyAdmin(PageAdmin):
    """Refuses to add, change and delete, whoever asks: what the engine writes is nobody's to edit."""

    # Without actions there is nothing to select.
    actions: Sequence[str] | None = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
