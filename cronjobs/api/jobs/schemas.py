"""The parameters of a definition as JSON Schema: from its form, or else from its function's signature."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django import forms

from cronjobs.conf import words_to_mask
from cronjobs.registry import JobDefinition
from cronjobs.storable import storable_json

_Schema = dict[str, Any]

# First match wins: some of these are subclasses of others.
_FIELDS: tuple[tuple[type[forms.Field], _Schema], ...] = (
    (forms.BooleanField, {"type": "boolean"}),
    (forms.FloatField, {"type": "number"}),
    (forms.DecimalField, {"type": "number"}),
    (forms.IntegerField, {"type": "integer"}),
    (forms.DateTimeField, {"type": "string", "format": "date-time"}),
    (forms.DateField, {"type": "string", "format": "date"}),
    (forms.TimeField, {"type": "string", "format": "time"}),
    (forms.DurationField, {"type": "string"}),
    (forms.EmailField, {"type": "string", "format": "email"}),
    (forms.URLField, {"type": "string", "format": "uri"}),
    (forms.UUIDField, {"type": "string", "format": "uuid"}),
    (forms.JSONField, {}),
    (forms.CharField, {"type": "string"}),
)
_BOUNDS = {"min_value": "minimum", "max_value": "maximum", "min_length": "minLength", "max_length": "maxLength"}
_TYPES: Mapping[Any, _Schema] = {
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    Decimal: {"type": "number"},
    str: {"type": "string"},
    list: {"type": "array"},
    tuple: {"type": "array"},
    dict: {"type": "object"},
    Mapping: {"type": "object"},
    datetime: {"type": "string", "format": "date-time"},
    date: {"type": "string", "format": "date"},
    time: {"type": "string", "format": "time"},
    timedelta: {"type": "number"},
    UUID: {"type": "string", "format": "uuid"},
    types.NoneType: {"type": "null"},
}


def parameter_schema(definition: JobDefinition) -> _Schema:
    """Return what the parameters of a definition may be.

    What cannot be said, such as the rules of a form's own ``clean``, is not: a value that fits
    may still be refused. Defaults that are secrets are masked.
    """
    form = definition.params_form
    return _by_signature(definition) if form is None else _by_form(definition, form)


def _object(definition: JobDefinition, properties: Mapping[str, _Schema], required: Iterable[str]) -> _Schema:
    defaults = {name: each["default"] for name, each in properties.items() if "default" in each}
    shown = storable_json({**defaults, **definition.params}, mask=words_to_mask())
    return {
        "type": "object",
        "properties": {
            name: {**each, **({"default": shown[name]} if name in shown else {})} for name, each in properties.items()
        },
        "required": [name for name in required if name not in definition.params],
        "additionalProperties": False,
    }


def _by_form(definition: JobDefinition, form: type[forms.Form]) -> _Schema:
    fields = form.base_fields
    required = [name for name, each in fields.items() if each.required and each.initial is None]
    return _object(definition, {name: _field(each) for name, each in fields.items()}, required)


def _field(field: forms.Field) -> _Schema:
    schema = dict(_choice(field) if isinstance(field, forms.ChoiceField) else _kind(field))
    for attribute, keyword in _BOUNDS.items():
        bound = getattr(field, attribute, None)
        if isinstance(bound, int | float | Decimal):
            schema[keyword] = bound
    if field.label:
        schema["title"] = str(field.label)
    if field.help_text:
        schema["description"] = str(field.help_text)
    if field.initial is not None and not callable(field.initial):
        schema["default"] = field.initial
    return schema


def _kind(field: forms.Field) -> _Schema:
    return next((schema for kind, schema in _FIELDS if isinstance(field, kind)), {})


def _choice(field: forms.ChoiceField) -> _Schema:
    # Choices that a function or a table gives are other ones tomorrow.
    choices = getattr(field, "choices", None)
    schema: _Schema = {"enum": list(_values(choices))} if isinstance(choices, list) else {}
    is_several = isinstance(field, forms.MultipleChoiceField | forms.ModelMultipleChoiceField)
    return {"type": "array", "items": schema} if is_several else schema


def _values(choices: Iterable[Any]) -> Iterator[Any]:
    for value, label in choices:
        if isinstance(label, list | tuple):
            yield from _values(label)
        else:
            yield storable_json(value)


def _by_signature(definition: JobDefinition) -> _Schema:
    parameters = list(_signature(definition).parameters.values())[1:]
    named = [each for each in parameters if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)]
    required = [each.name for each in named if each.default is each.empty]
    schema = _object(definition, {each.name: _parameter(each) for each in named}, required)
    takes_any = any(each.kind is each.VAR_KEYWORD for each in parameters)
    return {**schema, "additionalProperties": takes_any}


def _signature(definition: JobDefinition) -> inspect.Signature:
    try:
        return inspect.signature(definition.func, eval_str=True)
    except Exception:  # noqa: BLE001 - an annotation is code, which may name what is imported for type checkers only
        return inspect.signature(definition.func)


def _parameter(parameter: inspect.Parameter) -> _Schema:
    default = {} if parameter.default is parameter.empty else {"default": parameter.default}
    return {**_annotation(parameter.annotation), **default}


def _annotation(annotation: Any) -> _Schema:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return {"enum": [storable_json(each) for each in arguments]}
    if origin in (typing.Union, types.UnionType):
        options = [_annotation(each) for each in arguments]
        return {"anyOf": options} if all(options) else {}
    try:
        return dict(_TYPES.get(origin or annotation, {}))
    except TypeError:
        # An annotation may be any object, also one without a hash.
        return {}
