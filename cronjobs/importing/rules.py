"""Which definition does what another scheduler ran: by a rule that somebody wrote, else by the same name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from cronjobs.importing.entries import Entry
from cronjobs.importing.names import allowed_name
from cronjobs.registry import JobDefinition


@dataclass(frozen=True, slots=True)
class Rule:
    """What matches `pattern`, with ``*``, ``?`` and ``[…]`` as in a shell, is done by that definition."""

    pattern: str
    definition: str

    def is_about(self, entry: Entry) -> bool:
        """Return whether the pattern matches the entry's name, what it runs, or the whole of its command."""
        return any(fnmatchcase(each, self.pattern) for each in (entry.name, entry.runs, *entry.handles) if each)


def parse_rule(text: str) -> Rule:
    """Return the rule that ``PATTERN=DEFINITION`` says; raise `ValueError` with a sentence."""
    # A command may have an equals sign, the name of a definition has none.
    pattern, equals, definition = (each.strip() for each in text.rpartition("="))
    if not (pattern and equals and definition):
        raise ValueError(f"{text!r} is not of the form PATTERN=DEFINITION, such as '*backup.sh*=nightly-backup'.")
    return Rule(pattern, definition)


def rules_in(text: str) -> list[Rule]:
    """Return the rules of a file, one a line; blank lines and those that begin with # are passed over.

    Raises `ValueError` with a sentence that names the line.
    """
    rules = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            try:
                rules.append(parse_rule(line.strip()))
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from None
    return rules


class Definitions:
    """The definitions by the names under which they are looked for."""

    def __init__(self, definitions: Iterable[JobDefinition]) -> None:
        known = list(definitions)
        self._alike = {allowed_name(each.name): each for each in reversed(known)}
        self._exact = {each.name: each for each in known}

    def named(self, name: str) -> JobDefinition | None:
        """Return the definition of that very name."""
        return self._exact.get(name)

    def called(self, text: str) -> JobDefinition | None:
        """Return the definition whose name is `text`, but for capitals and what joins its words."""
        return self._exact.get(text) or self._alike.get(allowed_name(text)) if text else None
