"""The list of alerts, and the page of each: what people were told, and whether it reached them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import QuerySet
from django.db.models.fields.json import KT
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_lazy, pgettext

from cronjobs.admin import rendering
from cronjobs.admin.alerts import facts
from cronjobs.admin.badges import Tone, badge
from cronjobs.admin.filters import BeforeFilter, TimeFilter
from cronjobs.admin.pages import ReadOnlyAdmin
from cronjobs.admin.windows import WindowList, WindowPaginator
from cronjobs.models import Alert, AlertDelivery, Job
from cronjobs.models.alerts import DeliveryStatus
from cronjobs.storable import storable_text

DELIVERY_TONES: Mapping[str, Tone] = {
    DeliveryStatus.PENDING: Tone.BUSY,
    DeliveryStatus.SENT: Tone.GOOD,
    DeliveryStatus.FAILED: Tone.BAD,
}


class AlertTimeFilter(TimeFilter):
    """Alerts of the last hour, day or week."""

    column = "created_at"


class AlertChangeFilter(admin.SimpleListFilter):
    """What began, or what was over."""

    title = gettext_lazy("change")
    parameter_name = "is_resolution__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("0", pgettext("alert", "Began")), ("1", pgettext("alert", "Over"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Alert]) -> QuerySet[Alert]:
        value = self.value()
        if value is None:
            return queryset
        if value not in {"0", "1"}:
            raise IncorrectLookupParameters
        return queryset.filter(is_resolution=value == "1")


class AlertList(WindowList):
    """The list, which reads one sentence of the facts and not the log lines that are in them."""

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Alert]:
        alerts: QuerySet[Alert] = super().get_queryset(request, exclude_parameters)
        return alerts.defer("facts").annotate(details=KT("facts__details"))


class AlertAdmin(ReadOnlyAdmin):
    """What the engine has told people; it is nobody's to edit."""

    list_display = ("shown_at", "shown_what", "shown_subject", "listed_details", "shown_deliveries")
    list_display_links = ("shown_at",)
    list_filter = ("kind", AlertChangeFilter, AlertTimeFilter, BeforeFilter)
    list_per_page = 50
    search_fields = ("subject",)
    search_help_text = gettext_lazy("The name of a job, a node or a queue.")
    sortable_by = ()
    ordering = ("-id",)
    paginator = WindowPaginator
    show_full_result_count = False
    fields = (
        "shown_at",
        "shown_what",
        "linked_subject",
        "shown_execution",
        "shown_details",
        "shown_error",
        "shown_log",
        "shown_facts",
        "explained_deliveries",
    )
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Alert]:
        return super().get_queryset(request).prefetch_related("deliveries")

    @admin.display(description=gettext_lazy("time"))
    def shown_at(self, alert: Alert) -> str:
        return rendering.moment(alert.created_at)

    @admin.display(description=gettext_lazy("what"))
    def shown_what(self, alert: Alert) -> str:
        over = badge(pgettext("alert", "Over"), Tone.GOOD) if alert.is_resolution else ""
        kind = badge(alert.get_kind_display(), Tone.QUIET if alert.is_resolution else Tone.BAD)
        return format_html("{} {}", kind, over)

    @admin.display(description=gettext_lazy("subject"))
    def shown_subject(self, alert: Alert) -> str:
        return rendering.one_line(alert.subject)

    @admin.display(description=gettext_lazy("subject"))
    def linked_subject(self, alert: Alert) -> str:
        job_id = Job.objects.filter(name=alert.job_name).values_list("pk", flat=True).first()
        if job_id is None:
            return alert.subject or rendering.NOTHING
        url = reverse("admin:cronjobs_job_change", args=[job_id], current_app=self.admin_site.name)
        return format_html('<a href="{}">{}</a>', url, alert.subject)

    @admin.display(description=gettext_lazy("execution"))
    def shown_execution(self, alert: Alert) -> str:
        if alert.execution_id is None:
            return rendering.NOTHING
        url = reverse("admin:cronjobs_jobexecution_change", args=[alert.execution_id])
        return format_html('<a href="{}">#{}</a>', url, alert.execution_id)

    @admin.display(description=gettext_lazy("details"))
    def listed_details(self, alert: Any) -> str:
        return storable_text(alert.details or "") or rendering.NOTHING

    @admin.display(description=gettext_lazy("details"))
    def shown_details(self, alert: Alert) -> str:
        return facts.text(alert, "details") or rendering.NOTHING

    @admin.display(description=gettext_lazy("error"))
    def shown_error(self, alert: Alert) -> str:
        return rendering.masked_text(error) if (error := facts.error(alert)) else rendering.NOTHING

    @admin.display(description=gettext_lazy("last log lines"))
    def shown_log(self, alert: Alert) -> str:
        return rendering.masked_text(log) if (log := facts.log(alert)) else rendering.NOTHING

    @admin.display(description=gettext_lazy("facts"))
    def shown_facts(self, alert: Alert) -> str:
        rows = format_html_join("", '<tr><th scope="row">{}</th><td>{}</td></tr>', facts.table(alert))
        body = format_html('<table class="cron-facts"><tbody>{}</tbody></table>', rows)
        return body if rows else rendering.NOTHING

    @admin.display(description=gettext_lazy("deliveries"))
    def shown_deliveries(self, alert: Alert) -> str:
        return rendering.lines(*(_delivery(each) for each in alert.deliveries.all())) or rendering.NOTHING

    @admin.display(description=gettext_lazy("deliveries"))
    def explained_deliveries(self, alert: Alert) -> str:
        if alert.deliveries.all():
            return self.shown_deliveries(alert)
        if alert.is_resolution:
            return gettext("Told nobody: there was no notifier for it, or none that had been told of the beginning.")
        return gettext("Told nobody: there was no notifier for it when it began.")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[WindowList]:
        return AlertList

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        filters = (AlertChangeFilter, AlertTimeFilter, BeforeFilter)
        return lookup in {"kind__exact"} | {str(each.parameter_name) for each in filters}


def _delivery(delivery: AlertDelivery) -> SafeString:
    """Return where it goes, how far it is, and what stood in its way."""
    status = badge(delivery.get_status_display(), DELIVERY_TONES.get(delivery.status, Tone.ODD))
    # Of what has arrived, what went wrong before matters to nobody.
    error = "" if delivery.status == DeliveryStatus.SENT else rendering.one_line(delivery.last_error)
    shown = "" if error == rendering.NOTHING else error
    return format_html("{} {} {}", delivery.notifier, status, shown)
