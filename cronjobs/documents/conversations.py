"""The conversation states: what they look like, which are stale, and what becomes of those.

All of it happens in MongoDB; the counts and the update load no document.
"""

# MongoEngine ships no types.
# mypy: disallow-subclassing-any=False

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Self

from cronjobs.documents.connection import database, errors_reported
from cronjobs.documents.mapping import (
    ForeignDocument,
    ForeignPart,
    ForeignQuerySet,
    StoredContainerField,
    StoredField,
    StoredPartField,
)

CONVERSATIONS = "conversation_states"


class ConversationQuerySet(ForeignQuerySet):
    """Conversations, by how they stand."""

    def active(self) -> Self:
        """Return those whose `isActive` is true, not merely truthy."""
        return self.filter(is_active=True)

    def inactive(self) -> Self:
        """Return those whose `isActive` is false; it may also be missing, which is neither."""
        return self.filter(is_active=False)

    def created_before(self, moment: datetime) -> Self:
        """Return those with a creation date before `moment`; MongoDB compares dates with dates only."""
        return self.filter(created_at__lt=moment)


class ConversationData(ForeignPart):
    """What the customer has said so far."""

    wants_quote = StoredField(bool, db_field="wantsQuote")
    requested_category = StoredField(str, db_field="requestedCategory")
    dimensions = StoredContainerField(list)
    quantity = StoredContainerField(list)
    skus = StoredField((int, str))
    selected_material = StoredContainerField(list, db_field="selectedMaterial")
    selected_finish = StoredContainerField(list, db_field="selectedFinish")
    pricing_data = StoredContainerField(dict, db_field="pricingData")
    quote_data = StoredContainerField(dict, db_field="quoteData")


class LegacyConversationState(ForeignDocument):
    """Where one customer stands in the chat."""

    phone = StoredField(str)
    current_step = StoredField(str, db_field="currentStep")
    conversation_data = StoredPartField(ConversationData, db_field="conversationData")
    last_message_at = StoredField(datetime, db_field="lastMessageAt")
    is_active = StoredField(bool, db_field="isActive")
    created_at = StoredField(datetime, db_field="createdAt")
    updated_at = StoredField(datetime, db_field="updatedAt")
    completed_at = StoredField(datetime, db_field="completedAt")
    version = StoredField(int, db_field="__v")

    meta: ClassVar[dict[str, Any]] = {"collection": CONVERSATIONS, "queryset_class": ConversationQuerySet}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationCounts:
    """How many conversations there are; old ones were created before the cutoff.

    `total` exceeds `active` + `inactive` by those whose `isActive` is neither true nor false.
    """

    total: int
    active: int
    inactive: int
    old_active: int
    old_inactive: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateCounts:
    """What one update found and what it changed."""

    matched: int
    modified: int


@errors_reported()
def count_conversations(cutoff: datetime) -> ConversationCounts:
    """Count the conversations, each number by a query of its own."""
    active, inactive = LegacyConversationState.objects.active(), LegacyConversationState.objects.inactive()
    return ConversationCounts(
        # MongoEngine would only estimate a count without a condition.
        total=database()[CONVERSATIONS].count_documents({}),
        active=active.count(),
        inactive=inactive.count(),
        old_active=active.created_before(cutoff).count(),
        old_inactive=inactive.created_before(cutoff).count(),
    )


@errors_reported()
def count_stale_conversations(cutoff: datetime) -> int:
    """Count the active conversations that were created before `cutoff`."""
    count: int = LegacyConversationState.objects.active().created_before(cutoff).count()
    return count


@errors_reported()
def deactivate_stale_conversations(cutoff: datetime, *, now: datetime) -> UpdateCounts:
    """Make the active conversations that were created before `cutoff` inactive, as of `now`."""
    stale = LegacyConversationState.objects.active().created_before(cutoff)
    result = stale.update(is_active=False, updated_at=now, full_result=True)
    return UpdateCounts(matched=result.matched_count, modified=result.modified_count)
