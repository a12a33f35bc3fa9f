"""Every command of the app with its arguments and examples, read from its parser."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from django.core.management import load_command_class
from django.core.management.base import BaseCommand, CommandParser

from tests.reference import table
from tests.servers import ROOT

_FILES = ROOT / "cronjobs" / "management" / "commands"


def command_names() -> list[str]:
    """Return the names of the app's commands, in alphabetical order."""
    return sorted(each.stem for each in _FILES.glob("[!_]*.py"))


def parser_of(name: str) -> CommandParser:
    """Return the parser of a command."""
    return load_command_class("cronjobs", name).create_parser("manage.py", name)


def commands() -> str:
    """Return a section for each command."""
    return "\n".join(_section(name) for name in command_names())


def _section(name: str) -> str:
    parser = parser_of(name)
    parts = [f"## {name}\n", *_paragraphs(parser.description or ""), *_described(name, parser, level="###")]
    if parser.epilog:
        parts.append(f"```text\n{parser.epilog.strip()}\n```\n")
    return "\n".join(parts)


def _described(name: str, parser: argparse.ArgumentParser, *, level: str) -> Iterator[str]:
    """Yield the table of a parser's arguments, and a section for each of its verbs."""
    django = {each.dest for each in BaseCommand().create_parser("manage.py", name)._actions}
    own = [each for each in parser._actions if each.dest not in django and each.help != argparse.SUPPRESS]
    verbs = [each for each in own if isinstance(each, argparse._SubParsersAction)]
    rows = [(f"`{_shown(each)}`", _help(parser, each)) for each in own if each not in verbs]
    if rows:
        yield table(("argument", ""), rows)
    for action in verbs:
        helps = {each.dest: each.help or "" for each in action._choices_actions}
        for verb, below in action.choices.items():
            yield f"{level} {name} {verb}\n"
            yield from _paragraphs(helps.get(verb, ""))
            yield from _described(f"{name} {verb}", below, level=f"{level}#")


def _paragraphs(text: str) -> Iterator[str]:
    for each in text.split("\n\n"):
        if each.strip():
            yield f"{' '.join(each.split())}\n"


def _shown(action: argparse.Action) -> str:
    """Return an argument as somebody types it."""
    value = _value(action)
    if not action.option_strings:
        return value
    return f"{', '.join(action.option_strings)} {value}".rstrip()


def _value(action: argparse.Action) -> str:
    if action.nargs == 0:
        return ""
    name = action.metavar or action.dest.upper()
    if isinstance(name, tuple):
        return " ".join(name)
    return {"?": f"[{name}]", "*": f"[{name}…]", "+": f"{name}…"}.get(str(action.nargs), name)


def _help(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    text = (action.help or "") % {**vars(action), "prog": parser.prog}
    return f"{text} Required." if action.required and action.option_strings else text
