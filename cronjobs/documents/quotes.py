"""The quotes: what they look like, which are overdue or too old, and what becomes of those.

All of it happens in MongoDB; no document is loaded.
"""

# MongoEngine ships no types.
# mypy: disallow-subclassing-any=False

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Self

from cronjobs.documents.connection import errors_reported
from cronjobs.documents.mapping import (
    ForeignDocument,
    ForeignPart,
    ForeignQuerySet,
    StoredContainerField,
    StoredField,
    StoredPartField,
)

QUOTES = "quotes"

OPEN_QUOTE_STATUSES = ("pending", "sent")


class QuoteQuerySet(ForeignQuerySet):
    """Quotes, by how they stand."""

    def overdue(self, now: datetime) -> Self:
        """Return those that are still open although they were valid only until before `now`."""
        return self.filter(status__in=OPEN_QUOTE_STATUSES, valid_until__lt=now)

    def created_before(self, moment: datetime) -> Self:
        """Return those with a creation date before `moment`."""
        return self.filter(created_at__lt=moment)


class QuoteProduct(ForeignPart):
    """What a quote is for."""

    product_id = StoredField(str, db_field="id")
    name = StoredField(str)


class QuotePricing(ForeignPart):
    """What a quote asks for."""

    base_price = StoredField((int, float), db_field="basePrice")
    subtotal = StoredField((int, float))
    tax = StoredField((int, float))
    total_price = StoredField((int, float), db_field="totalPrice")


class LegacyQuote(ForeignDocument):
    """An offer made to a customer."""

    quote_id = StoredField(str, db_field="quoteId")
    phone = StoredField(str)
    customer_name = StoredField(str, db_field="customerName")
    product = StoredPartField(QuoteProduct)
    quantity = StoredField(int)
    dimensions = StoredContainerField(list)
    pricing = StoredPartField(QuotePricing)
    status = StoredField(str)
    valid_until = StoredField(datetime, db_field="validUntil")
    created_at = StoredField(datetime, db_field="createdAt")
    updated_at = StoredField(datetime, db_field="updatedAt")
    version = StoredField(int, db_field="__v")

    meta: ClassVar[dict[str, Any]] = {"collection": QUOTES, "queryset_class": QuoteQuerySet}


@errors_reported()
def expire_overdue_quotes(now: datetime) -> int:
    """Mark the open quotes that were valid only until before `now` as expired; return how many."""
    result = LegacyQuote.objects.overdue(now).update(status="expired", updated_at=now, full_result=True)
    count: int = result.modified_count
    return count


@errors_reported()
def delete_quotes_created_before(moment: datetime) -> int:
    """Delete the quotes that were created before `moment`; return how many."""
    count: int = LegacyQuote.objects.created_before(moment).delete()
    return count
