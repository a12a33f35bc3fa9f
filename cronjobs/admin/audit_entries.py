"""The audit in the admin: what was done over HTTP, and what was refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from cronjobs.admin import rendering
from cronjobs.admin.badges import Tone, badge
from cronjobs.admin.filters import BeforeFilter, TimeFilter
from cronjobs.admin.pages import ReadOnlyAdmin
from cronjobs.admin.windows import WindowList, WindowPaginator
from cronjobs.models import AuditEntry
from cronjobs.models.audit_entry import Outcome
from cronjobs.storable import storable_text

TONES: Mapping[str, Tone] = {Outcome.ACCEPTED: Tone.GOOD, Outcome.REFUSED: Tone.ODD, Outcome.FAILED: Tone.BAD}

# What can be chosen is found among so many of the newest entries, the commonest first.
_NEWEST: Final = 1_000
_MOST_CHOICES: Final = 20


class _RecentValueFilter(admin.SimpleListFilter):
    """Entries with one of the values that a column has had of late."""

    column: ClassVar[str]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        newest = AuditEntry.objects.order_by("-pk").values_list(self.column, flat=True)[:_NEWEST]
        values = Counter(value for value in newest if value)
        return [(value, value) for value, _ in values.most_common(_MOST_CHOICES)]

    def has_output(self) -> bool:
        return bool(self.lookup_choices) or self.value() is not None

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        value = self.value()
        if value is None:
            return queryset
        if storable_text(value) != value:
            # A database may refuse to look for it.
            raise IncorrectLookupParameters
        return queryset.filter(**{self.column: value})


class CodeFilter(_RecentValueFilter):
    """Entries with one code."""

    title = gettext_lazy("code")
    parameter_name = column = "code"


class AddressFilter(_RecentValueFilter):
    """Entries from one address."""

    title = gettext_lazy("address")
    parameter_name = column = "address"


class EntryTimeFilter(TimeFilter):
    """Entries of the last hour, day or week."""

    column = "at"


class AuditEntryAdmin(ReadOnlyAdmin):
    """What the API has recorded of its requests; it is nobody's to edit."""

    list_display = (
        "shown_at",
        "shown_outcome",
        "shown_who",
        "shown_action",
        "shown_target",
        "address",
        "shown_status",
        "count",
    )
    list_display_links = ("shown_at",)
    list_filter = ("outcome", EntryTimeFilter, CodeFilter, AddressFilter, BeforeFilter)
    list_per_page = 50
    search_fields = ("who", "target", "credential", "address")
    search_help_text = gettext_lazy("A user's name, a target, the first part of a key (cron_…) or an address.")
    sortable_by = ()
    ordering = ("-id",)
    paginator = WindowPaginator
    show_full_result_count = False
    fields = (
        "shown_at",
        "shown_last_at",
        "count",
        "shown_outcome",
        "who",
        "credential",
        "method",
        "route",
        "target",
        "address",
        "status",
        "code",
    )

    @admin.display(description=gettext_lazy("time"))
    def shown_at(self, entry: AuditEntry) -> str:
        return rendering.moment(entry.at)

    @admin.display(description=gettext_lazy("last time"))
    def shown_last_at(self, entry: AuditEntry) -> str:
        return rendering.moment(entry.last_at)

    @admin.display(description=gettext_lazy("outcome"))
    def shown_outcome(self, entry: AuditEntry) -> str:
        return badge(entry.get_outcome_display(), TONES.get(entry.outcome, Tone.QUIET))

    @admin.display(description=gettext_lazy("who"))
    def shown_who(self, entry: AuditEntry) -> str:
        return rendering.lines(rendering.one_line(entry.who), rendering.quiet(entry.credential))

    @admin.display(description=gettext_lazy("action"))
    def shown_action(self, entry: AuditEntry) -> str:
        return f"{entry.method} {entry.route}"

    @admin.display(description=gettext_lazy("target"))
    def shown_target(self, entry: AuditEntry) -> str:
        return rendering.one_line(entry.target)

    @admin.display(description=gettext_lazy("status"))
    def shown_status(self, entry: AuditEntry) -> str:
        return rendering.lines(str(entry.status), rendering.quiet(entry.code) if entry.code else "")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[WindowList]:
        return WindowList

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        filters = (EntryTimeFilter, CodeFilter, AddressFilter, BeforeFilter)
        return lookup == "outcome__exact" or lookup in {each.parameter_name for each in filters}
