"""Lists that stay fast however long the history is: no counting, no OFFSET, no wide columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.admin.views.main import SEARCH_VAR, ChangeList
from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.db.models.expressions import Combinable
from django.http import HttpRequest
from django.utils.functional import cached_property

if TYPE_CHECKING:
    AnyPaginator = Paginator[Any]
else:
    AnyPaginator = Paginator

BEFORE = "before"

# What may be long and no list shows.
WIDE = ("params", "result", "traceback", "error_message", "reason")


class WindowPaginator(AnyPaginator):
    """Pages through the first thousand rows of a list; what comes after them begins a new window.

    One statement reads the ids of the window, so that a search looks through the table once.
    """

    size = 1000
    object_list: QuerySet[Any]

    @property
    def is_cut(self) -> bool:
        """Whether there are rows beyond the window."""
        return len(self._ids) > self.size

    @property
    def last_id(self) -> int:
        """Return the id that the next window begins before."""
        return self._ids[: self.size][-1]

    @cached_property
    def count(self) -> int:
        return min(len(self._ids), self.size)

    def page(self, number: int | str) -> Page[Any]:
        number = self.validate_number(number)
        return Page(self.rows(number), number, self)

    def rows(self, number: int) -> QuerySet[Any]:
        """Return the rows of a page."""
        first = (number - 1) * self.per_page
        return self.object_list.filter(pk__in=self._ids[: self.size][first : first + self.per_page])

    @cached_property
    def _ids(self) -> list[int]:
        return list(self.object_list.values_list("pk", flat=True)[: self.size + 1])


class WindowList(ChangeList):
    """A list in windows: newest first, whatever the query string asks for."""

    paginator: WindowPaginator

    @property
    def is_cut(self) -> bool:
        """Whether more rows match than the pages show."""
        return self.paginator.is_cut

    @property
    def older_url(self) -> str:
        """Return the link to the window after this one."""
        return self.get_query_string({BEFORE: self.paginator.last_id})

    @property
    def query_less_url(self) -> str:
        """Return the link to the same list without the search."""
        return self.get_query_string(remove=[SEARCH_VAR])

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[str | Combinable]:
        # Any other order would sort the whole table.
        return ["-id"]
