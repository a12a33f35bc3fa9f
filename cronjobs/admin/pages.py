"""What all pages have in common, and what those have that only show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.text import capfirst

from cronjobs.models import Node

if TYPE_CHECKING:
    AnyModelAdmin = admin.ModelAdmin[Any]
else:
    AnyModelAdmin = admin.ModelAdmin


class PageAdmin(AnyModelAdmin):
    """Our style sheet, and a list that is called by its name instead of "Select job to change"."""

    show_facets = admin.ShowFacets.NEVER

    class Media:
        css = {"all": ("cronjobs/admin.css",)}

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        title = capfirst(self.opts.verbose_name_plural)
        context = {"title": title, "is_node_alive": Node.objects.alive().exists(), **(extra_context or {})}
        return super().changelist_view(request, context)


class ReadOnlyAdmin(PageAdmin):
    """Refuses to add, change and delete, whoever asks: what the engine writes is nobody's to edit."""

    # Without actions there is nothing to select.
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
