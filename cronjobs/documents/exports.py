"""Exported documents: from a line of Extended JSON into a collection, byte for byte, once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from json import JSONDecodeError
from typing import Any

from bson import encode, json_util
from bson.codec_options import DatetimeConversion
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument
from pymongo.errors import BulkWriteError, OperationFailure

from cronjobs.documents.connection import database, errors_reported, reason_of, user_is_refused

# A document as MongoDB stores it; reading it parses it.
EncodedDocument = RawBSONDocument

MAX_DOCUMENT_BYTES = 16 * 1024 * 1024

_EXTENDED_JSON = json_util.JSONOptions(tz_aware=True, tzinfo=UTC, datetime_conversion=DatetimeConversion.DATETIME_AUTO)


class BrokenDocument(ValueError):
    """A line of an export that cannot become a document; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InsertCounts:
    """What became of some documents; `refused` maps positions among them to MongoDB's reasons."""

    inserted: int
    existing: int
    refused: Mapping[int, str]


def parse_document(line: bytes) -> dict[str, Any]:
    """Return the document that a line of Extended JSON describes; raise `BrokenDocument`."""
    try:
        document = json_util.loads(line.decode("utf-8-sig"), json_options=_EXTENDED_JSON)
    except JSONDecodeError as error:
        raise BrokenDocument(f"it is not JSON: {error.msg} at character {error.colno}") from None
    except RecursionError:
        raise BrokenDocument("it is nested too deeply") from None
    # A wrong "$date" or "$oid" fails in as many ways as it can be wrong.
    except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, BSONError) as error:
        raise BrokenDocument(f"it is not Extended JSON: {error}") from None
    if not isinstance(document, dict):
        raise BrokenDocument("it is not a document")
    if "_id" not in document:
        raise BrokenDocument("it has no _id, so it would be loaded again each time")
    return document


def moved_in_time(value: Any, by: timedelta) -> Any:
    """Return `value` with every date in it, at any depth, moved `by`; text that looks like one is not a date."""
    match value:
        case datetime():
            try:
                return value + by
            except OverflowError:
                return value
        case dict():
            return {key: moved_in_time(each, by) for key, each in value.items()}
        case list():
            return [moved_in_time(each, by) for each in value]
    return value


def encoded(document: Mapping[str, Any]) -> EncodedDocument:
    """Return `document` as MongoDB stores it; raise `BrokenDocument` if that cannot be."""
    try:
        data = encode(document)
    except (BSONError, ValueError, OverflowError, TypeError, RecursionError) as error:
        raise BrokenDocument(f"it cannot be stored: {error}") from None
    if len(data) > MAX_DOCUMENT_BYTES:
        raise BrokenDocument(f"it is too large: {len(data)} bytes, where MongoDB takes {MAX_DOCUMENT_BYTES}")
    return EncodedDocument(data)


@errors_reported()
def insert_new(collection: str, documents: Sequence[EncodedDocument]) -> InsertCounts:
    """Insert those `documents` whose `_id` is not in `collection` yet; nothing is overwritten.

    Not upserts with ``$setOnInsert``: MongoDB would sort the fields by name.
    """
    try:
        database()[collection].insert_many(documents, ordered=False)
    except BulkWriteError as error:
        return _sorted_out(error, len(documents))
    except OperationFailure as error:
        if user_is_refused(error):
            raise
        return _inserted_singly(collection, documents, error)
    return InsertCounts(inserted=len(documents), existing=0, refused={})


def _sorted_out(error: BulkWriteError, count: int) -> InsertCounts:
    errors = error.details["writeErrors"]
    if not errors:
        raise error
    refused = {each["index"]: str(each["errmsg"])[:300] for each in errors if not _is_known_id(each)}
    return InsertCounts(inserted=count - len(errors), existing=len(errors) - len(refused), refused=refused)


def _is_known_id(write_error: Mapping[str, Any]) -> bool:
    # Servers before 4.4 name the index in the text only.
    by_key = list(write_error.get("keyPattern", ())) == ["_id"]
    return write_error["code"] == 11000 and (by_key or " index: _id_ " in write_error["errmsg"])


def _inserted_singly(collection: str, documents: Sequence[EncodedDocument], error: OperationFailure) -> InsertCounts:
    """Insert one by one what was refused as a whole, so that one bad document refuses only itself."""
    if len(documents) == 1:
        return InsertCounts(inserted=0, existing=0, refused={0: reason_of(error)})
    counts = [insert_new(collection, [each]) for each in documents]
    return InsertCounts(
        inserted=sum(each.inserted for each in counts),
        existing=sum(each.existing for each in counts),
        refused={place: each.refused[0] for place, each in enumerate(counts) if each.refused},
    )
