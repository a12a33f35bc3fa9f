"""How documents of another program are read and changed without damage to what is not understood."""

# MongoEngine ships no types.
# mypy: disallow-subclassing-any=False

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

from mongoengine import Document, EmbeddedDocument, EmbeddedDocumentField, QuerySet
from mongoengine.base import BaseField, ComplexBaseField
from mongoengine.errors import ValidationError

from cronjobs.documents.connection import database

if TYPE_CHECKING:
    from pymongo.collection import Collection
    from pymongo.database import Database


class StoredField(BaseField):
    """A field that never converts what is stored; only a new value must be of its `kind`."""

    def __init__(self, kind: type | tuple[type, ...], **options: Any) -> None:
        super().__init__(**options)
        self.kind = kind

    def to_python(self, value: Any) -> Any:
        return value

    def to_mongo(self, value: Any) -> Any:
        return value

    def validate(self, value: Any, clean: bool = True) -> None:  # noqa: FBT001, FBT002 - MongoEngine's signature
        if not isinstance(value, self.kind):
            self.error(f"{value!r} is of the wrong type.")


class StoredContainerField(StoredField, ComplexBaseField):
    """The same for a list or a dict: MongoEngine notices what is changed inside."""

    # Reading a field must not send queries, whatever looks like a reference in it.
    _auto_dereference = False


class StoredPartField(EmbeddedDocumentField):
    """A sub-document; anything else that is stored in its place is left as it is."""

    def to_python(self, value: Any) -> Any:
        return super().to_python(value) if isinstance(value, dict) else value


class _Foreign:
    """What another program wrote: only the mapped fields are read, only changed ones are checked and saved."""

    @classmethod
    def _from_son(cls, son: Mapping[str, Any], **options: Any) -> Any:
        # Unmapped keys stay in the database. Here they could pass for something else: MongoEngine
        # reads "_cls" as a class, and "id" and "created_at" as the fields of that name.
        mapped = {key: value for key, value in son.items() if key in cls._reverse_db_field_map}  # type: ignore[attr-defined]  # MongoEngine's
        return super()._from_son(mapped, **options)  # type: ignore[misc]  # MongoEngine's

    def validate(self, clean: bool = True) -> None:  # noqa: FBT001, FBT002 - MongoEngine's signature
        try:
            super().validate(clean=clean)  # type: ignore[misc]  # MongoEngine's
        except ValidationError as error:
            if self._created or not self._changed_names().isdisjoint(error.errors):  # type: ignore[attr-defined]
                raise

    def _changed_names(self) -> set[str]:
        names: dict[str, str] = self._reverse_db_field_map  # type: ignore[attr-defined]  # MongoEngine's
        return {names[path.partition(".")[0]] for path in self._get_changed_fields()}  # type: ignore[attr-defined]


class ForeignDocument(_Foreign, Document):
    """A document of a collection whose schema and indexes are somebody else's."""

    meta: ClassVar[dict[str, Any]] = {
        "abstract": True,
        "strict": False,
        "auto_create_index": False,
        "allow_inheritance": False,
    }

    @classmethod
    def _get_db(cls) -> Database[dict[str, Any]]:
        return database()

    @classmethod
    def _get_collection(cls) -> Collection[dict[str, Any]]:
        # MongoEngine would keep the collection, and with it a client that a fork made useless.
        return database()[cls._get_collection_name()]

    def save(self, *args: Any, save_condition: Mapping[str, Any] | None = None, **options: Any) -> Any:
        # Without a condition MongoEngine upserts: a document that was deleted meanwhile
        # would come back as a fragment made of the changed fields.
        return super().save(*args, save_condition=save_condition or {}, **options)


class ForeignPart(_Foreign, EmbeddedDocument):
    """A sub-document of a `ForeignDocument`."""

    meta: ClassVar[dict[str, Any]] = {"abstract": True, "strict": False, "allow_inheritance": False}


class ForeignQuerySet(QuerySet):
    """Some of the documents of one collection."""

    if TYPE_CHECKING:

        def filter(self, **conditions: Any) -> Self: ...
