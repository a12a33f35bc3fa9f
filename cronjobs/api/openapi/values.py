"""What documents are made of: objects with known keys, and the values in them that REST framework has no field for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, ClassVar

from drf_spectacular.drainage import set_override
from rest_framework import serializers

from cronjobs.alerts import JOB_KINDS, AlertKind
from cronjobs.api.errors import ErrorCode
from cronjobs.dependencies import Condition
from cronjobs.models.alerts import DeliveryStatus
from cronjobs.models.choices import ExecutorName, Overlap, Trigger, WaitsFor
from cronjobs.registry import NAME_MAX_LENGTH
from cronjobs.schedules import CatchUp, Mark
from cronjobs.states import ExecutionStatus

NAME = {"type": "string", "pattern": "^[a-z0-9]([a-z0-9_-]*[a-z0-9])?$", "maxLength": NAME_MAX_LENGTH}
# No database stores NUL.
NO_NUL = r"^[^\u0000]*$"
ADDRESS = {"type": "string", "format": "uri-reference"}
NAMES = {"type": "array", "items": {"type": "string"}}
KINDS_OF_JOBS = {"type": "array", "items": {"type": "string", "enum": [str(each) for each in JOB_KINDS]}}
NAMES_OR_TEXT = {"oneOf": [NAMES, {"type": "string"}], "description": "Text if it is not understood."}
CONDITIONS = {"type": "object", "additionalProperties": {"type": "string", "enum": [str(each) for each in Condition]}}


class Document(serializers.Serializer[Any]):
    """A JSON object with these keys and no others."""


class Given(Document):
    """The body of a request: what it does not give is left as it is, or takes its default."""

    needed: ClassVar[tuple[str, ...]] = ()

    def get_fields(self) -> dict[str, Any]:
        fields: dict[str, Any] = super().get_fields()
        for name, field in fields.items():
            field.required = name in self.needed
        return fields


class Value(serializers.Field[Any, Any, Any, Any]):
    """A value that a JSON Schema describes; `component` names one that several documents share."""

    def __init__(self, schema: Mapping[str, Any], *, component: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        set_override(self, "field", dict(schema))
        set_override(self, "field_component_name", component)


def _choice(component: str, values: Iterable[str], description: str, **options: Any) -> Value:
    schema = {"type": "string", "enum": [str(each) for each in values], "description": description}
    return Value(schema, component=component, **options)


Always = partial(Value, {"type": "boolean", "const": True})
Never = partial(Value, {"type": "boolean", "const": False})
Count = partial(serializers.IntegerField, min_value=0)
Address = partial(Value, ADDRESS)
AnyObject = partial(Value, {"type": "object", "additionalProperties": True})
Conditions = partial(Value, CONDITIONS)
Storable = partial(serializers.RegexField, NO_NUL)
Texts = partial(serializers.ListField, child=serializers.CharField())

ExecutionStatusField = partial(
    _choice, "ExecutionStatus", ExecutionStatus, "Where an execution, or an attempt, stands."
)
TriggerField = partial(_choice, "Trigger", Trigger, "Why an execution exists.")
OverlapField = partial(
    _choice, "Overlap", Overlap, "What happens to a due time while an earlier execution of the job is still open."
)
CatchUpField = partial(_choice, "CatchUp", CatchUp, "What is made up for of due times that nobody was there to serve.")
MarkField = partial(_choice, "Mark", Mark, "What is special about a due time.")
ExecutorField = partial(_choice, "Executor", ExecutorName, "Where the attempts of a job run.")
WaitsForField = partial(
    _choice,
    "WaitsFor",
    [each.name.lower() for each in WaitsFor],
    "Who has to act next, once it is due: a node that performs it, a node that hands it to the broker of Celery, "
    "or a Celery worker.",
)
OutcomeField = partial(
    _choice,
    "Outcome",
    [each for each in ErrorCode if each.status < 400],
    "Why an execution that has ended did not succeed.",
)
AlertKindField = partial(_choice, "AlertKind", AlertKind, "What is wrong.")
DeliveryStatusField = partial(_choice, "DeliveryStatus", DeliveryStatus, "Whether a message has reached its notifier.")
ErrorCodeField = partial(
    _choice,
    "ErrorCode",
    [each for each in ErrorCode if each.status >= 400],
    "\n".join(f"- `{each}` ({each.status}): {each.meaning}" for each in ErrorCode if each.status >= 400),
)
