"""What a line of a shell runs: the management command or script in it, and its options as parameters; nothing is run."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

_MANAGERS = frozenset({"manage.py", "django-admin", "django-admin.py"})
_LANGUAGE = re.compile(r"(?:python|pypy|perl|ruby|node|php)[\d.]*")
_SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh"})
# They run what follows them.
_WRAPPERS = frozenset({"env", "exec", "nice", "ionice", "nohup", "setsid", "time", "timeout", "chronic", "command"})
# They only prepare what follows.
_PREPARATIONS = frozenset({"cd", "source", ".", "export", "set", "umask", "sleep", "true", ":", "test", "["})
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)
_AMOUNT = re.compile(r"\d+(?:\.\d+)?[smhd]?")
# The number of a stream stands right before the sign that sends it elsewhere.
_STREAM = re.compile(r"(?<!\S)\d+(?=[<>])")
_OPERATOR = re.compile(r"[();<>|&]+")
# The shell puts something in their place.
_FILLED_IN = {"$", "`"}
_MANY = "It runs several management commands: let each be a line of its own."
# Options of every management command, and whether a value follows.
_OF_DJANGO = {
    "settings": True,
    "pythonpath": True,
    "verbosity": True,
    "v": True,
    "no-color": False,
    "force-color": False,
    "traceback": False,
    "skip-checks": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What a line runs (empty: that cannot be told), with which parameters (None: it does not say)."""

    runs: str
    params: dict[str, Any] | None = None
    notes: tuple[str, ...] = ()
    problem: str = ""
    unnamed: str = ""


def read_command(line: str) -> Command:
    """Return what the shell would run for `line`."""
    try:
        words = _inside_shell(_words(line))
    except ValueError:
        return Command(runs="", problem="Its quotes do not match.")
    managed = list(_managed(words))
    if len(managed) > 1:
        return Command(runs="", problem=_MANY)
    return _of_django(managed[0]) if managed else _of_script(words)


def _words(line: str) -> list[str]:
    lexer = shlex.shlex(_STREAM.sub("", line), posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    return list(lexer)


def _inside_shell(words: list[str]) -> list[str]:
    """Return the words of the line that a shell, or what starts one (su, flock), is given with -c, if one is."""
    for place, word in enumerate(words[1:-1], start=1):
        is_option = re.fullmatch(r"-[a-z]*c", word) is not None
        if is_option and not _LANGUAGE.fullmatch(PurePosixPath(words[place - 1]).name):
            return _words(words[place + 1])
    return words


def _managed(words: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield, for each management command, its name and its arguments."""
    for place, word in enumerate(words):
        is_module = word == "django" and place > 0 and words[place - 1] == "-m"
        if is_module or PurePosixPath(word).name in _MANAGERS:
            yield _until_operator(words[place + 1 :])


def _until_operator(words: Sequence[str]) -> Sequence[str]:
    end = next((place for place, word in enumerate(words) if _OPERATOR.fullmatch(word)), len(words))
    return words[:end]


@dataclass(slots=True)
class _Options:
    """The options of a management command, as far as they have been read."""

    params: dict[str, Any] = field(default_factory=dict)
    unnamed: list[str] = field(default_factory=list)

    def add(self, word: str, following: str | None) -> bool:
        """Take an argument in; return whether it took the following one with it."""
        if not word.startswith("-") or word == "-" or _FILLED_IN & {*word, *(following or "")}:
            self.unnamed.append(word)
            return False
        name, equals, value = word.lstrip("-").partition("=")
        takes_following = not equals and following is not None and not following.startswith("-")
        if name in _OF_DJANGO:
            return takes_following and _OF_DJANGO[name]
        if not word.startswith("--"):
            # Which option it is short for only the command knows; -v1 is Django's.
            self.unnamed += [] if re.fullmatch(r"v\d", name) else [word]
            return False
        given = value if equals else following if takes_following else None
        self.params[name.replace("-", "_")] = True if given is None else _value(given)
        return takes_following


def _of_django(words: Sequence[str]) -> Command:
    if not words or words[0].startswith("-"):
        return Command(runs="", problem="It names no management command.")
    options, rest = _Options(), list(words[1:])
    while rest:
        word = rest.pop(0)
        if options.add(word, rest[0] if rest else None):
            rest.pop(0)
    shown = " ".join(options.unnamed)
    unnamed = f"A job's parameters have names, which these arguments have not: {shown}." if shown else ""
    return Command(runs=words[0], params=options.params, unnamed=unnamed)


def _value(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return text


def _refuse(constant: str) -> Any:
    # As runjob reads --param.
    raise ValueError(constant)


def _of_script(words: Sequence[str]) -> Command:
    scripts = [found for each in _simple_commands(words) if (found := _program(each))]
    if len(scripts) != 1:
        return Command(runs="")
    [(name, arguments)] = scripts
    notes = (f"Its arguments are left out: {' '.join(arguments)}.",) if arguments else ()
    return Command(runs=name, notes=notes)


def _simple_commands(words: Sequence[str]) -> Iterator[list[str]]:
    """Yield the commands that a line runs one after the other; what only reads what another prints is none of them."""
    found: list[str] = []
    is_read, is_target = True, False
    for word in words:
        if not _OPERATOR.fullmatch(word):
            if is_read and not is_target:
                found.append(word)
            is_target = False
        elif set(word) & set("<>"):
            is_target = True
        else:
            yield found
            found, is_read = [], word != "|"
    yield found


def _program(words: Sequence[str]) -> tuple[str, list[str]] | None:
    """Return the name of the script that a simple command runs, and its arguments; None: it only prepares."""
    rest, is_module = list(words), False
    while rest and _leads(rest[0]):
        wrapper = rest.pop(0)
        is_wrapped = not _ASSIGNMENT.fullmatch(wrapper)
        while is_wrapped and rest and (rest[0].startswith("-") or _AMOUNT.fullmatch(rest[0])):
            is_module = rest.pop(0) == "-m"
    if not rest or rest[0] in _PREPARATIONS:
        return None
    name = rest[0].rpartition(".")[2] if is_module else PurePosixPath(rest[0]).stem
    return name, rest[1:]


def _leads(word: str) -> bool:
    name = PurePosixPath(word).name
    return bool(name in _WRAPPERS | _SHELLS or _LANGUAGE.fullmatch(name) or _ASSIGNMENT.fullmatch(word))
