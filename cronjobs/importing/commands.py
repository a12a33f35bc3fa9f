"""What a line of a shell runs: the management command or script in it, and its options as parameters; nothing is run."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from pathlib import PurePosixPath
from typing import Any, Final

_MANAGERS = frozenset({"manage.py", "django-admin", "django-admin.py"})
_LANGUAGE = re.compile(r"(?:python|pypy|perl|ruby|node|php)[\d.]*")
_SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh"})
# They run what follows them; of these options a value follows.
_WRAPPERS: Final[Mapping[str, frozenset[str]]] = {
    "chronic": frozenset(),
    "chrt": frozenset({"-T", "-P", "-D"}),
    "command": frozenset(),
    "doas": frozenset({"-u", "-C"}),
    "env": frozenset({"-u", "-C"}),
    "exec": frozenset({"-a"}),
    "flock": frozenset({"-w", "-E"}),
    "ionice": frozenset({"-c", "-n"}),
    "nice": frozenset({"-n"}),
    "nohup": frozenset(),
    "runuser": frozenset({"-u", "-g", "-G", "-s", "--user", "--group"}),
    "setsid": frozenset(),
    "sudo": frozenset({"-u", "-g", "-h", "-p", "-C", "-D", "-R", "-T", "--user", "--group", "--chdir"}),
    "time": frozenset({"-f", "-o"}),
    "timeout": frozenset({"-k", "-s"}),
}
# They begin what a shell does under a condition, or together.
_KEYWORDS = frozenset({"{", "!", "if", "then", "elif", "else", "while", "until", "do"})
# They only prepare what follows, or say something of it.
_PREPARATIONS = frozenset(
    {"cd", "source", ".", "export", "set", "umask", "ulimit", "sleep", "true", ":", "test", "[", "[[", "exit"}
    | {"echo", "printf", "date", "}", "fi", "done"}
)
# What another command prints goes through them into a log.
_LOGGERS = frozenset(
    {"logger", "systemd-cat", "tee", "ts", "cronolog", "rotatelogs", "multilog", "grep", "cat", "head", "tail"}
)
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)
_AMOUNT = re.compile(r"\d+(?:\.\d+)?[smhd]?")
# The number of a stream stands right before the sign that sends it elsewhere.
_STREAM = re.compile(r"(?<!\S)\d+(?=[<>])")
_OPERATOR = re.compile(r"[();<>|&]+")
# What the shell passes over: a word that begins with #, outside of quotes.
_REMARK = re.compile(r"""('[^']*'|"(?:\\.|[^"\\])*"|\\.)|(?<![^\s;&|()])#[^\n]*""", re.DOTALL)
# The shell puts something in their place.
_FILLED_IN = {"$", "`"}
_DIRECTORY = "run-parts runs each file of a directory: what these do are the jobs."
_MORE = "It runs more than one job does: {}."
_FED = "It reads what another command prints."
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
    # Those whose value is a word of its own: behind a flag it would be no value, but an argument.
    apart: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    problem: str = ""
    only_by_rule: str = ""
    # The names of all programs in it.
    programs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Simple:
    """A command of a line without operators, and whether it reads what the one before it prints."""

    words: Sequence[str]
    reads: bool


def read_command(line: str) -> Command:
    """Return what the shell would run for `line`."""
    try:
        parts = list(_simple_commands(_words(line)))
    except ValueError:
        return Command(runs="", problem="Its quotes do not match.")
    running = [(each, found) for each in parts if (found := _program(each.words))]
    programs = [name for each, (name, _) in running if not (each.reads and name in _LOGGERS)]
    return replace(_command(running), programs=tuple(programs))


def _command(running: Sequence[tuple[_Simple, tuple[str, list[str]]]]) -> Command:
    """Return the one of them that a job may do, if there is one."""
    managed = [(each, words) for each, _program in running if (words := _managed(each.words)) is not None]
    if len(managed) > 1:
        return Command(runs="", problem=_MANY)
    if any(name == "run-parts" for _, (name, _arguments) in running):
        return Command(runs="run-parts", problem=_DIRECTORY)
    scripts = [(each, name, arguments) for each, (name, arguments) in running if not (each.reads and name in _LOGGERS)]
    if not managed:
        return _of_script(scripts)
    [(own, words)] = managed
    found = _of_django(words)
    others = [name or "another program" for each, name, _ in scripts if each is not own]
    reasons = [_MORE.format(", ".join(others))] if others else []
    reasons += [_FED] if own.reads else []
    return replace(found, only_by_rule=" ".join([*reasons, *([found.only_by_rule] if found.only_by_rule else [])]))


def _words(line: str) -> list[str]:
    line = _REMARK.sub(lambda match: match[1] or "", line)
    lexer = shlex.shlex(_STREAM.sub("", line), posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    return list(lexer)


def _simple_commands(words: Sequence[str]) -> Iterator[_Simple]:
    """Yield the commands that a line runs one after the other, also those inside of another one's -c."""
    found: list[str] = []
    reads, is_target = False, False
    for word in [*words, ";"]:
        if not _OPERATOR.fullmatch(word):
            if not is_target:
                found.append(word)
            is_target = False
        elif set(word) & set("<>"):
            is_target = True
        elif found:
            yield from _inside(_Simple(found, reads))
            found, reads, is_target = [], word in ("|", "|&"), False
        else:
            # A bracket, before which there is none.
            reads = reads and "(" in word


def _inside(command: _Simple) -> Iterator[_Simple]:
    line = _line_inside(command.words)
    if line is None:
        yield command
        return
    for place, each in enumerate(_simple_commands(_words(line))):
        yield replace(each, reads=each.reads or (command.reads and place == 0))


def _line_inside(words: Sequence[str]) -> str | None:
    """Return the line that a shell, or what starts one (su, flock), is given with -c, if one is."""
    for place, word in enumerate(words):
        options = _shell_options(PurePosixPath(word).name, words[place + 1 :])
        for at, option in enumerate(options, start=place + 1):
            if re.fullmatch(r"-[a-z]*c|--command", option) and at + 1 < len(words):
                return words[at + 1]
    return None


def _shell_options(name: str, words: Sequence[str]) -> Sequence[str]:
    """Return those of the words behind the name of a program among which its own -c may be."""
    if name in _SHELLS:
        return list(takewhile(lambda each: each.startswith("-"), words))
    if name == "su":
        return words
    if name == "runuser":
        # With a user as an option it runs a command, and no shell.
        options = list(takewhile(lambda each: each not in ("-u", "--user", "--"), words))
        return options if len(options) == len(words) else []
    if name == "flock":
        plain = [at for at, each in enumerate(words) if not (each.startswith("-") or _AMOUNT.fullmatch(each))]
        # The first of them is the file, and what follows it either -c or a command.
        return words[: plain[0] + 2] if plain else []
    return []


def _managed(words: Sequence[str]) -> Sequence[str] | None:
    """Return the name of the management command and its arguments; None if it is none."""
    for place, word in enumerate(words):
        is_module = word == "django" and place > 0 and words[place - 1] == "-m"
        if is_module or PurePosixPath(word).name in _MANAGERS:
            return words[place + 1 :]
    return None


@dataclass(slots=True)
class _Options:
    """The options of a management command, as far as they have been read."""

    params: dict[str, Any] = field(default_factory=dict)
    apart: set[str] = field(default_factory=set)
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
        self._set(name.replace("-", "_"), True if given is None else _value(given), is_apart=takes_following)
        return takes_following

    def _set(self, name: str, value: Any, *, is_apart: bool) -> None:
        if name in self.params:
            # One parameter has one value, and which of them was meant only the command knows.
            self.unnamed.append(name)
        self.params[name] = value
        self.apart |= {name} if is_apart and not isinstance(value, bool) else set()


def _of_django(words: Sequence[str]) -> Command:
    if not words or words[0].startswith("-"):
        return Command(runs="", problem="It names no management command.")
    options, rest = _Options(), list(words[1:])
    while rest:
        word = rest.pop(0)
        if options.add(word, rest[0] if rest else None):
            rest.pop(0)
    return Command(
        runs=words[0],
        params=options.params,
        apart=tuple(sorted(options.apart)),
        only_by_rule=without_names(len(options.unnamed)),
    )


def without_names(number: int) -> str:
    """Return why that many arguments are no parameters; empty for none. They may be secrets, and are not shown."""
    return f"A job's parameters have names, which {number} of its arguments have not." if number else ""


def _value(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return text


def _refuse(constant: str) -> Any:
    # As runjob reads --param.
    raise ValueError(constant)


def _of_script(scripts: Sequence[tuple[_Simple, str, list[str]]]) -> Command:
    if len(scripts) != 1 or not scripts[0][1]:
        return Command(runs="")
    [(own, name, arguments)] = scripts
    # They may be secrets.
    notes = (f"What follows {name} is left out: {len(arguments)} of its words.",) if arguments else ()
    return Command(runs=name, notes=notes, only_by_rule=_FED if own.reads else "")


def _program(words: Sequence[str]) -> tuple[str, list[str]] | None:
    """Return the name of the script that a simple command runs (empty: none), and its arguments; None: it only prepares."""
    rest, is_module = list(words), False
    while rest and _leads(rest[0]):
        leader = PurePosixPath(rest.pop(0)).name
        if leader in _KEYWORDS or _ASSIGNMENT.fullmatch(leader):
            continue
        while rest and (rest[0].startswith("-") or _AMOUNT.fullmatch(rest[0])):
            option = rest.pop(0)
            is_module = option == "-m"
            if option in ("-c", "-e", "-r") and _LANGUAGE.fullmatch(leader):
                return "", []
            if option in _WRAPPERS.get(leader, ()) and rest:
                rest.pop(0)
        if leader == "flock" and rest:
            rest.pop(0)
    if not rest or rest[0] in _PREPARATIONS:
        return None
    name = rest[0].rpartition(".")[2] if is_module else PurePosixPath(rest[0]).stem
    return name, rest[1:]


def _leads(word: str) -> bool:
    name = PurePosixPath(word).name
    is_known = word in _KEYWORDS or name in _WRAPPERS or name in _SHELLS
    return bool(is_known or _LANGUAGE.fullmatch(name) or _ASSIGNMENT.fullmatch(word))
