"""Calendars in the admin: days on which jobs do not run, one on each line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from cronjobs.admin.pages import PageAdmin, message_of
from cronjobs.models import Calendar

if TYPE_CHECKING:
    CalendarModelForm = forms.ModelForm[Calendar]
else:
    CalendarModelForm = forms.ModelForm


class DatesField(forms.Field):
    """Dates, one on each line; kept as text, since the model says what is wrong with one."""

    widget = forms.Textarea(attrs={"rows": 12, "cols": 20})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> list[str]:
        return sorted({line.strip() for line in str(value or "").splitlines() if line.strip()})

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(initial != self.to_python(data))


class CalendarForm(CalendarModelForm):
    """A calendar's columns."""

    dates = DatesField(label=_("Dates"), required=False, help_text=_("One on each line, such as 2026-12-25."))

    class Meta:
        model = Calendar
        fields = ("name", "dates")


class CalendarAdmin(PageAdmin):
    """Calendars. Those that jobs use cannot be deleted."""

    form = CalendarForm
    list_display = ("name", "shown_count")
    search_fields = ("name",)

    @admin.display(description=_("days"))
    def shown_count(self, calendar: Calendar) -> int:
        return len(calendar.dates) if isinstance(calendar.dates, list) else 0

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:  # noqa: FBT001, FBT002 - Django's
        return super().construct_change_message(request, form, formsets, add) if add else message_of(form)
