"""Where declarations are kept, and how they are found."""

from __future__ import annotations

import importlib
import logging
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from traceback import walk_tb
from typing import Any

from django.apps import apps
from django.utils.module_loading import module_has_submodule

from cronjobs.exceptions import DefinitionNotFound
from cronjobs.registry._definitions import JobDefinition
from cronjobs.storable import storable_text

logger = logging.getLogger("cronjobs.registry")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A declaration that cannot be used, for the system check and the admin to show."""

    where: str
    message: str
    hint: str = ""
    # The definition that is missing because of it; None: whatever the module would have defined.
    name: str | None = None


class Registry:
    """Definitions by name, and the problems met while collecting them."""

    def __init__(self) -> None:
        self._definitions: dict[str, JobDefinition] = {}
        self.problems: list[Problem] = []

    def __getitem__(self, name: str) -> JobDefinition:
        try:
            return self._definitions[name]
        except KeyError:
            raise DefinitionNotFound(name, self._reasons(name)) from None

    def _reasons(self, name: str) -> list[str]:
        """Return what may be why there is no definition of that name: its own mistakes, else what cannot be imported."""
        own = [each.message for each in self.problems if each.name == name]
        return own or [each.message for each in self.problems if each.name is None]

    def get(self, name: str) -> JobDefinition | None:
        """Return the definition of that name, or None."""
        return self._definitions.get(name)

    def contents(self) -> tuple[dict[str, JobDefinition], list[Problem]]:
        """Return a copy of everything that is known, to be compared with a later one."""
        return dict(self._definitions), list(self.problems)

    def __contains__(self, name: object) -> bool:
        return name in self._definitions

    def __iter__(self) -> Iterator[JobDefinition]:
        return iter(sorted(self._definitions.values(), key=lambda each: each.name))

    def add(self, definition: JobDefinition) -> None:
        """Register `definition`; a second one of the same name is a problem, not a replacement."""
        known = self._definitions.get(definition.name)
        if known is not None and origin_of(known.func) != origin_of(definition.func):
            message = f"Two functions are registered as {definition.name!r}: {origin_of(known.func)} came first."
            self.problems.append(
                Problem(
                    where=origin_of(definition.func), message=message, hint="Rename one of them.", name=definition.name
                )
            )
            return
        self._definitions[definition.name] = definition

    def remove(self, name: str) -> None:
        """Forget the definition of that name, if there is one."""
        self._definitions.pop(name, None)

    def take_problem(self, name: str) -> str:
        """Remove the newest problem that kept a definition of that name away, and return what it says."""
        problem = next(each for each in reversed(self.problems) if each.name == storable_text(name))
        self.problems.remove(problem)
        return problem.message

    def is_available(self, definition: JobDefinition) -> bool:
        """Return whether `definition` is to have a job here, as its `only_if` says.

        One whose `only_if` raises is not, and becomes a problem.
        """
        try:
            return bool(definition.only_if())
        except Exception as error:  # noqa: BLE001 - a job's own function may raise anything
            reason = f"{type(error).__name__}: {storable_text(error, max_bytes=500)}"
        problem = Problem(
            where=origin_of(definition.func),
            message=f"Job {definition.name!r}: only_if fails: {reason}",
            hint="No job is made of it until it answers.",
            name=definition.name,
        )
        if problem not in self.problems:
            logger.error("%s", problem.message)
            self.problems.append(problem)
        return False

    def discover(self) -> None:
        """Import the ``jobs`` module, or every module of the ``jobs`` package, of every installed app.

        A module that cannot be imported becomes a problem and stops nobody else.
        """
        for config in apps.get_app_configs():
            if config.module is not None and module_has_submodule(config.module, "jobs"):
                self._import(f"{config.name}.jobs")

    def _import(self, name: str) -> None:
        try:
            module = importlib.import_module(name)
        except Exception as error:
            # One line for people who run commands; the frames for whoever looks for the fault.
            reason = storable_text(error, max_bytes=500).partition("\n")[0]
            line = _line_of(error, name)
            where = "" if line is None else f" (line {line})"
            message = f"{name} cannot be imported{where}: {type(error).__name__}: {reason}"
            logger.error("%s", message, extra={"module_name": name})  # noqa: TRY400 - as said above
            logger.debug("How %s failed:", name, exc_info=error)
            jobs = "Its jobs" if line is None else "The jobs that it defines below that line"
            hint = f"{jobs} are not available until it can."
            self.problems.append(Problem(where=name, message=message, hint=hint))
            return
        for each in pkgutil.iter_modules(getattr(module, "__path__", [])):
            self._import(f"{name}.{each.name}")


def _line_of(error: BaseException, module: str) -> int | None:
    """Return the line of `module` that failed; None if none of it ran (a SyntaxError says its line itself)."""
    lines = [line for frame, line in walk_tb(error.__traceback__) if frame.f_globals.get("__name__") == module]
    return lines[-1] if lines else None


registry = Registry()


def origin_of(func: Any) -> str:
    return f"{getattr(func, '__module__', '?')}.{getattr(func, '__qualname__', repr(func))}"
