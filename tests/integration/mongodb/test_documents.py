from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from bson import Binary, Decimal128, Int64, ObjectId, Regex, Timestamp, encode
from bson.codec_options import DatetimeConversion
from bson.datetime_ms import DatetimeMS
from bson.dbref import DBRef
from django.utils import timezone as django_timezone
from mongoengine.errors import SaveConditionError, ValidationError

from cronjobs.documents import (
    LegacyConversationState,
    LegacyQuote,
    count_conversations,
    count_stale_conversations,
    database,
    deactivate_stale_conversations,
    missing_indexes,
)
from cronjobs.documents.indexes import index_serves
from tests.integration.mongodb.evidence import NOW, exported, fill, raw, sent_commands

pytestmark = [pytest.mark.mongo, pytest.mark.sqlite_only]


A_DATE = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)

# One of each kind that BSON has; no field expects them all.
ODD_VALUES = [
    pytest.param(None, id="null"),
    pytest.param("2025-12-01T00:00:00.000Z", id="text"),
    pytest.param(1, id="number"),
    pytest.param(Int64(2**40), id="long"),
    pytest.param(float("inf"), id="infinity"),
    pytest.param(True, id="bool"),
    pytest.param(A_DATE, id="date"),
    pytest.param([1, {"a": None}], id="list"),
    pytest.param({"_cls": "Nobody", "a": {"b": [2]}, "": 1}, id="document"),
    pytest.param(ObjectId("6b06e0cd5843ae04ba1f8ada"), id="object-id"),
    pytest.param(b"\x00\xff", id="bytes"),
    pytest.param(Binary(b"0123456789abcdef", 4), id="uuid"),
    pytest.param(Decimal128("1.50"), id="decimal"),
    pytest.param(Timestamp(1, 2), id="timestamp"),
    pytest.param(Regex("^a"), id="regex"),
    pytest.param(DBRef("users", 1), id="reference"),
]


def test_documents_with_fields_the_mapping_does_not_know_are_listed_read_and_edited(mongodb):
    mongodb["conversation_states"].insert_one(
        {
            "phone": "+1",
            "isActive": True,
            "__v": 3,
            "legacy": {"a": [1, {"b": 2}]},
            "conversationData": {"quantity": [1], "unknownFlag": True, "dimensions": [{"_id": ObjectId(), "x": 1}]},
        }
    )
    before = mongodb["conversation_states"].find_one()
    assert before is not None

    (listed,) = LegacyConversationState.objects
    listed.conversation_data.quantity.append(2)
    listed.save()

    after = mongodb["conversation_states"].find_one()
    before["conversationData"]["quantity"] = [1, 2]
    assert after == before
    assert listed.version == 3


def test_documents_without_an_inheritance_marker_are_counted_and_none_is_added(mongodb):
    collection = mongodb["conversation_states"]
    collection.insert_many([{"phone": "1"}, {"phone": "2"}, {"phone": "3", "__t": "Special"}])
    counted = LegacyConversationState.objects.count()

    created = LegacyConversationState(phone="4", is_active=True, created_at=A_DATE).save()

    assert (counted, LegacyConversationState.objects.count()) == (3, 4)
    assert collection.find_one({"_id": created.id}) == {
        "_id": created.id,
        "phone": "4",
        "isActive": True,
        "createdAt": A_DATE,
    }
    assert collection.count_documents({"__t": "Special"}) == 1


def test_times_are_aware_utc_and_stored_in_milliseconds(mongodb, settings):
    settings.TIME_ZONE = "Europe/Berlin"
    stored = datetime(2026, 3, 1, 9, 0, 0, 123000, tzinfo=UTC)
    stored_id = mongodb["conversation_states"].insert_one({"createdAt": stored}).inserted_id

    state = LegacyConversationState.objects.get(id=stored_id)
    state.updated_at = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    state.save()
    state.save()

    reloaded = LegacyConversationState.objects.get(id=stored_id)
    assert reloaded.created_at == stored
    assert reloaded.updated_at == datetime(2026, 3, 1, 10, 0, 0, 123000, tzinfo=UTC)
    assert reloaded.created_at.utcoffset() == timedelta(0)
    assert django_timezone.now() - reloaded.created_at != timedelta(0)
    assert mongodb["conversation_states"].count_documents({}) == 1


def test_existing_indexes_that_differ_are_left_alone(mongodb):
    collection = mongodb["conversation_states"]
    collection.create_index("phone", unique=True)
    collection.create_index("createdAt", expireAfterSeconds=10**9)
    before = collection.index_information()

    LegacyConversationState(phone="1", is_active=True, created_at=A_DATE).save()
    state = LegacyConversationState.objects.first()
    state.phone = "2"
    state.save()
    deactivate_stale_conversations(NOW, now=NOW)
    count_conversations(NOW)
    missing_indexes()

    assert collection.index_information() == before


def test_reading_makes_no_collection_and_no_index(mongodb):
    assert list(LegacyConversationState.objects) == []
    assert count_conversations(NOW).total == 0
    assert len(missing_indexes()) == 3

    assert mongodb.list_collection_names() == []


def test_each_missing_index_comes_with_the_command_that_makes_it(mongodb):
    mongodb["quotes"].create_index([("status", 1), ("validUntil", -1), ("phone", 1)])
    mongodb["conversation_states"].create_index([("isActive", 1), ("createdAt", 1)], partialFilterExpression={"a": 1})

    conversations, quotes = map(str, missing_indexes())

    assert conversations == (
        "conversation_states has no index on isActive, createdAt (isActive_1_createdAt_1 is partial); "
        "in mongosh: db.conversation_states.createIndex({isActive: 1, createdAt: 1})"
    )
    assert quotes == "quotes has no index on createdAt; in mongosh: db.quotes.createIndex({createdAt: 1})"


@pytest.mark.parametrize(
    ("index", "serves"),
    [
        pytest.param({"key": {"a": 1, "b": 1}}, True, id="same"),
        pytest.param({"key": {"a": 1.0, "b": -1, "c": 1}}, True, id="longer, either direction"),
        pytest.param(
            {"key": {"a": 1, "b": 1}, "sparse": True, "unique": True, "expireAfterSeconds": 5}, True, id="options"
        ),
        pytest.param({"key": {"b": 1, "a": 1}}, False, id="other order"),
        pytest.param({"key": {"a": 1}}, False, id="shorter"),
        pytest.param({"key": {"a": "hashed", "b": 1}}, False, id="hashed"),
        pytest.param({"key": {"_fts": "text", "_ftsx": 1}}, False, id="text"),
        pytest.param({"key": {"a": 1, "b": 1}, "hidden": True}, False, id="hidden"),
        pytest.param({"key": {"a": 1, "b": 1}, "collation": {"locale": "de"}}, False, id="collation"),
    ],
)
def test_an_index_serves_queries_on_its_first_keys(index, serves):
    assert index_serves(index, ("a", "b")) is serves


@pytest.mark.parametrize("value", ODD_VALUES)
@pytest.mark.parametrize("model", [LegacyConversationState, LegacyQuote])
def test_a_value_of_any_type_survives_an_edit_of_another_field(mongodb, model, value):
    collection = mongodb[model._get_collection_name()]
    mapped = [each.db_field for each in model._fields.values() if each.db_field not in {"_id", "phone"}]
    document = {"_id": ObjectId(), "phone": "old", **dict.fromkeys(mapped, value), "unmapped": value}
    collection.insert_one(document)

    loaded = model.objects.get()
    {each.name: getattr(loaded, each.name) for each in model._fields.values()}
    loaded.phone = "new"
    loaded.save()

    assert raw(collection) == raw_of({**document, "phone": "new"})


@pytest.mark.parametrize("value", ODD_VALUES)
@pytest.mark.parametrize(
    ("model", "field", "inner"),
    [
        pytest.param(LegacyConversationState, "conversation_data", "requested_category", id="data"),
        pytest.param(LegacyQuote, "product", "name", id="product"),
    ],
)
def test_a_value_of_any_type_in_a_sub_document_survives_an_edit_beside_it(mongodb, model, field, inner, value):
    collection = mongodb[model._get_collection_name()]
    part, part_fields = model._fields[field].db_field, model._fields[field].document_type._fields
    inside = {each.db_field: value for each in part_fields.values() if each.name != inner}
    inner_key = part_fields[inner].db_field
    document = {"_id": ObjectId(), part: {**inside, "unmapped": value, inner_key: "old"}}
    collection.insert_one(document)

    loaded = model.objects.get()
    sub_document = getattr(loaded, field)
    {name: getattr(sub_document, name) for name in part_fields}
    setattr(sub_document, inner, "new")
    loaded.save()

    edited = {**inside, "unmapped": value, inner_key: "new"}
    assert raw(collection) == raw_of({**document, part: edited})


def test_keys_that_look_like_python_names_are_not_mistaken_for_them(mongodb):
    document = {
        "_id": ObjectId(),
        "createdAt": A_DATE,
        "phone": "old",
        "id": "somebody",
        "pk": 1,
        "_cls": "Nobody",
        "_created": True,
        "created_at": "text",
        "save": 1,
        "$weird": 2,
        "a.b": 3,
    }
    mongodb["conversation_states"].insert_one(document)

    state = LegacyConversationState.objects.get()
    state.phone = "new"
    state.save()

    assert (state.id, state.created_at) == (document["_id"], A_DATE)
    assert raw(mongodb["conversation_states"]) == raw_of({**document, "phone": "new"})


def test_a_date_beyond_pythons_reach_survives(mongodb):
    # The embedded server cannot hold such a date, so it is given to the mapping as the driver would.
    state = LegacyConversationState._from_son({"_id": ObjectId(), "createdAt": DatetimeMS(8_640_000_000_000_000)})

    state.validate()

    assert int(state.created_at) == 8_640_000_000_000_000
    assert database().codec_options.datetime_conversion == DatetimeConversion.DATETIME_AUTO


def test_every_exported_document_can_be_loaded_and_saving_it_writes_nothing(mongodb):
    fill(mongodb, "quotes")
    mongodb["conversation_states"].insert_many(exported("conversation_states")[-200:])
    before = raw(mongodb["conversation_states"]) | raw(mongodb["quotes"])

    loaded = [*LegacyConversationState.objects, *LegacyQuote.objects]
    for each in loaded:
        each.save()

    assert len(loaded) == 600
    assert raw(mongodb["conversation_states"]) | raw(mongodb["quotes"]) == before


def test_a_changed_value_of_the_wrong_type_is_refused(mongodb):
    mongodb["conversation_states"].insert_one({"isActive": 1, "conversationData": {"wantsQuote": "odd"}})
    state = LegacyConversationState.objects.get()

    state.is_active = "yes"
    with pytest.raises(ValidationError, match="is_active"):
        state.save()
    state.reload()
    state.conversation_data.quantity = "many"
    with pytest.raises(ValidationError, match="quantity"):
        state.save()

    assert (
        mongodb["conversation_states"].count_documents({"isActive": 1, "conversationData": {"wantsQuote": "odd"}}) == 1
    )


def test_a_new_document_is_checked_as_a_whole(mongodb):
    with pytest.raises(ValidationError, match="created_at"):
        LegacyConversationState(phone="1", created_at="yesterday").save()

    assert mongodb["conversation_states"].count_documents({}) == 0


def test_a_document_that_was_deleted_meanwhile_does_not_come_back_as_a_fragment(mongodb):
    mongodb["conversation_states"].insert_one({"phone": "1"})
    state = LegacyConversationState.objects.get()
    mongodb["conversation_states"].delete_many({})

    state.is_active = False
    with pytest.raises(SaveConditionError):
        state.save()

    assert mongodb["conversation_states"].count_documents({}) == 0


def test_only_dates_before_the_cutoff_and_true_itself_are_stale(mongodb):
    values = [
        None,
        "2020-01-01",
        0,
        1.5,
        True,
        False,
        Timestamp(1, 1),
        ObjectId(),
        {"a": A_DATE},
        b"x",
        Decimal128("1"),
    ]
    collection = mongodb["conversation_states"]
    collection.insert_many([{"isActive": True, "createdAt": each} for each in values])
    collection.insert_many([{"isActive": each, "createdAt": A_DATE} for each in values if each is not True])
    collection.insert_many([{"isActive": True}, {"createdAt": A_DATE}, {"isActive": True, "createdAt": NOW}])
    stale = collection.insert_one({"isActive": True, "createdAt": NOW - timedelta(milliseconds=1)}).inserted_id

    counted = count_stale_conversations(NOW)
    counts = deactivate_stale_conversations(NOW, now=NOW)

    assert (counted, counts.matched, counts.modified) == (1, 1, 1)
    assert [each["_id"] for each in collection.find({"updatedAt": NOW})] == [stale]


def test_the_clean_up_is_one_update_in_the_server(mongodb, settings):
    fill(mongodb, "conversation_states")
    cutoff = NOW - timedelta(minutes=10)

    with sent_commands() as commands:
        # A change of settings makes a new client, which the listener hears.
        settings.CRONJOBS = dict(settings.CRONJOBS)
        deactivate_stale_conversations(cutoff, now=NOW)

    (command,) = commands
    assert command["update"] == "conversation_states"
    (update,) = command["updates"]
    assert update["q"] == {"isActive": True, "createdAt": {"$lt": cutoff}}
    assert update["u"] == {"$set": {"isActive": False, "updatedAt": NOW}}
    assert update["multi"] is True
    assert not update.get("upsert", False)


def raw_of(document: dict[str, Any]) -> dict[Any, bytes]:
    return {document["_id"]: encode(document)}
