"""What Python code of a project may use: signatures and docstrings of the public names."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from enum import Enum
from importlib import import_module
from typing import Any, Final

import cronjobs
from tests.reference import table

# What is public beside `cronjobs` itself, by module, with what a page calls that group.
PUBLIC: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "cronjobs": ("To declare jobs", tuple(cronjobs.__all__)),
    "cronjobs.registry": ("What `@job` returns", ("JobDefinition",)),
    "cronjobs.logs": ("What a job is given", ("JobContext", "JobLogger", "Upstream", "create_job_logger")),
    "cronjobs.retries": ("Outside of jobs", ("with_retry",)),
    "cronjobs.manager": ("To act on jobs", ("CronManager",)),
    "cronjobs.notifications": (
        "To tell people in a way of your own",
        ("Notifier", "NotifierOptions", "option", "Message"),
    ),
}
_LONGEST_DEFAULT = 40
_FACTORY = "<factory>"


def python_api() -> str:
    """Return a section for each group of names."""
    return "\n".join(_group(module, *group) for module, group in PUBLIC.items())


def exceptions() -> str:
    """Return the table of what the app raises."""
    module = import_module("cronjobs.exceptions")
    found = [each for each in vars(module).values() if inspect.isclass(each) and each.__module__ == module.__name__]
    rows = [
        (f"`{each.__name__}`", ", ".join(f"`{base.__name__}`" for base in each.__bases__), _first_sentence(each))
        for each in found
    ]
    return table(("exception", "is a", ""), rows)


def _group(module: str, title: str, names: tuple[str, ...]) -> str:
    objects = {name: getattr(import_module(module), name) for name in names}
    return "\n".join([f"## {title}\n", *(_entry(f"{module}.{name}", each) for name, each in objects.items())])


def _entry(path: str, found: Any) -> str:
    parts = [f"### {path}\n", f"```python\n{_signature(path.rpartition('.')[2], found)}\n```\n", _said(found)]
    if inspect.isclass(found):
        parts += [each for name, member in _members(found) for each in _member(name, member)]
    return "\n".join(parts)


def _members(found: type) -> Iterator[tuple[str, Any]]:
    """Yield the public methods and properties that the class itself has, in the order of its code."""
    for name, member in vars(found).items():
        is_callable = inspect.isfunction(member) or isinstance(member, classmethod)
        if not name.startswith("_") and (is_callable or isinstance(member, property)) and _doc(member):
            yield name, member


def _member(name: str, member: Any) -> Iterator[str]:
    if isinstance(member, property):
        yield f"**`{name}`**\n"
    else:
        function = member.__func__ if isinstance(member, classmethod) else member
        yield f"**`{_signature(name, function, is_method=True, width=10_000)}`**\n"
    yield _said(member)


def _signature(name: str, found: Callable[..., Any], *, is_method: bool = False, width: int = 100) -> str:
    """Return how something is called: on one line if it fits, or else with a line for each parameter."""
    parameters = list(inspect.signature(found).parameters.values())[int(is_method) :]
    shown = list(_parameters(parameters))
    line = f"{name}({', '.join(shown)})"
    if len(line) <= width:
        return line
    return "\n".join([f"{name}(", *(f"    {each}," for each in shown), ")"])


def _parameters(parameters: list[inspect.Parameter]) -> Iterator[str]:
    is_keyword_only, is_positional_only = False, False
    for each in parameters:
        if is_positional_only and each.kind is not each.POSITIONAL_ONLY:
            yield "/"
        is_positional_only = each.kind is each.POSITIONAL_ONLY
        if each.kind is each.KEYWORD_ONLY and not is_keyword_only:
            yield "*"
        is_keyword_only = is_keyword_only or each.kind in (each.KEYWORD_ONLY, each.VAR_POSITIONAL)
        stars = "*" if each.kind is each.VAR_POSITIONAL else "**" if each.kind is each.VAR_KEYWORD else ""
        annotation = "" if each.annotation is each.empty else f": {_annotation(each.annotation)}"
        default = "" if each.default is each.empty else f" = {_default(each.default)}"
        yield f"{stars}{each.name}{annotation}{default}"


def _annotation(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))


def _default(value: Any) -> str:
    match value:
        case Enum():
            return repr(value.value)
        case timedelta():
            return f"timedelta(seconds={value.total_seconds():g})"
        case datetime():
            return value.isoformat()
    text = repr(value)
    # An object that has no other name than its address, or too long a one.
    return "…" if text.startswith("<") or text == _FACTORY or len(text) > _LONGEST_DEFAULT else text


def _said(found: Any) -> str:
    """Return a docstring as Markdown."""
    return f"{re.sub('``', '`', _doc(found))}\n"


def _first_sentence(found: Any) -> str:
    return re.sub("``", "`", " ".join(_doc(found).partition("\n\n")[0].split()))


def _doc(found: Any) -> str:
    # Not getdoc(), which also finds what a base class says.
    return inspect.cleandoc(getattr(found, "__doc__", None) or "")
