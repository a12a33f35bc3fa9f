"""The documents that the old application keeps in MongoDB: how to reach them and what to ask of them.

The only package that imports MongoDB's drivers. MongoDB is optional, so this is imported
inside functions only.
"""

from __future__ import annotations

import cronjobs.documents._drivers  # noqa: F401 - first, for its message
from cronjobs.documents.connection import (
    MongoError,
    database,
    describe_hosts,
    errors_reported,
    is_configured,
    patience_limited,
    ping,
    reason_of,
)
from cronjobs.documents.conversations import (
    CONVERSATIONS,
    ConversationCounts,
    LegacyConversationState,
    UpdateCounts,
    count_conversations,
    count_stale_conversations,
    deactivate_stale_conversations,
)
from cronjobs.documents.exports import (
    BrokenDocument,
    EncodedDocument,
    InsertCounts,
    encoded,
    insert_new,
    moved_in_time,
    parse_document,
)
from cronjobs.documents.indexes import MissingIndex, missing_indexes
from cronjobs.documents.quotes import (
    QUOTES,
    LegacyQuote,
    delete_quotes_created_before,
    expire_overdue_quotes,
)

__all__ = [
    "CONVERSATIONS",
    "QUOTES",
    "BrokenDocument",
    "ConversationCounts",
    "EncodedDocument",
    "InsertCounts",
    "LegacyConversationState",
    "LegacyQuote",
    "MissingIndex",
    "MongoError",
    "UpdateCounts",
    "count_conversations",
    "count_stale_conversations",
    "database",
    "deactivate_stale_conversations",
    "delete_quotes_created_before",
    "describe_hosts",
    "encoded",
    "errors_reported",
    "expire_overdue_quotes",
    "insert_new",
    "is_configured",
    "missing_indexes",
    "moved_in_time",
    "parse_document",
    "patience_limited",
    "ping",
    "reason_of",
]
