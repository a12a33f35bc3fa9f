"""What holds for every command: examples that work, JSON for programs, colours for people, and no traceback."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import shlex
import signal
import struct
import subprocess
import sys
import termios
from argparse import ArgumentParser
from collections.abc import Iterator
from io import StringIO

import psutil
import pytest
from django.core.management import call_command, get_commands, load_command_class
from django.core.management.color import color_style
from django.utils import timezone

from cronjobs.database import DatabaseNow
from cronjobs.models import ApiKey, Job, JobExecution, Node
from cronjobs.states import ExecutionStatus
from tests.commands import run_command
from tests.integration.api.callers import grant
from tests.servers import ROOT, command_environment, wait_for

NAMES = sorted(name for name, app in get_commands().items() if app == "cronjobs")
# They need MongoDB, and have tests of their own.
OF_MONGODB = {"cleanup_legacy", "conversation_stats", "load_conversations"}
PAST = ("--from", "2026-01-01T00:00:00Z", "--to", "2026-01-02T00:00:00Z")

# Each command but those, used as it is meant to be; 1 is the number of an execution.
USED_WELL = [
    ["cronalert", "list"],
    ["cronbackfill", "noop", *PAST, "--dry-run"],
    ["croncancel", "1"],
    ["croncancel", "--job", "noop"],
    ["croncheck"],
    ["crondrain", "node-1"],
    ["cronimport", "crontab", "/dev/null"],
    ["cronimport", "django-apscheduler"],
    ["cronkey", "create", "deploy", "--user", "olive", "--action", "view_job"],
    ["cronkey", "list"],
    ["cronkey", "rotate", "cron_0123456789"],
    ["cronkey", "revoke", "cron_0123456789"],
    ["cronlog", "1"],
    ["cronpause", "noop"],
    ["cronpreview", "--job", "noop"],
    ["cronqueue"],
    ["cronresume", "noop"],
    ["cronretry", "1"],
    ["cronskip", "noop"],
    ["cronstatus"],
    ["purge_executions", "--dry-run"],
    ["runcron", "--once"],
    ["runjob", "noop"],
]

USED_BADLY = [
    ["cleanup_legacy", "--minutes", "many"],
    ["cleanup_legacy", "--now", "noon"],
    ["conversation_stats", "--minutes", "0"],
    ["cronalert"],
    ["cronalert", "test", "--to", "nobody"],
    ["cronbackfill", "nobody", *PAST],
    ["cronbackfill", "noop", "--from", "yesterday", "--to", "today"],
    ["croncancel", "first"],
    ["croncancel", "99999"],
    ["croncancel", "--job", "nobody"],
    ["croncheck", "--oops"],
    ["crondrain", "nobody"],
    ["cronimport", "crontab", "/nonexistent", "--time-zone", "UTC"],
    ["cronimport", "crontab", "/", "--time-zone", "UTC"],
    ["cronimport", "crontab", "/proc/self/mem", "--time-zone", "UTC"],
    ["cronimport", "schedule-file", "/dev/null"],
    ["cronkey", "create", "deploy", "--user", "nobody", "--action", "view_job"],
    ["cronkey", "create", "deploy", "--user", "olive", "--action", "view_job", "--expires", "soon"],
    ["cronkey", "revoke", "cron_nothing"],
    ["cronlog", "first"],
    ["cronlog", "99999"],
    ["cronlog", "9" * 400],
    ["cronpause", "nobody"],
    ["cronpause", "noop", "--until", "2026-02-30T00:00:00Z"],
    ["cronpreview", "--job", "nobody"],
    ["cronpreview", "--expression", "* *"],
    ["cronpreview", "--expression", "@daily", "--time-zone", "Mars/Olympus"],
    ["cronqueue", "--pause", "nobody"],
    ["cronqueue", "--limit", "default", "many"],
    ["cronresume", "nobody"],
    ["cronretry", "first"],
    ["cronretry", "99999"],
    ["cronskip", "nobody"],
    ["cronstatus", "--timeout", "long"],
    ["load_conversations", "/nonexistent"],
    ["load_conversations", "/"],
    ["purge_executions", "--older-than", "long"],
    ["purge_executions", "--job", "nobody"],
    ["runcron", "--workers", "many"],
    ["runcron", "--json"],
    ["runjob", "nobody"],
    ["runjob", "noop", "--param", "days"],
    ["runjob", "noop", "--param", "days=2"],
    ["runjob", "noop", "--at", "noon"],
]


def parser_of(name) -> ArgumentParser:
    return load_command_class("cronjobs", name).create_parser("manage.py", name)


def examples_of(name) -> Iterator[list[str]]:
    """Yield the examples in a command's help as words, without what stands around and explains them."""
    lines = re.search(r"^examples:\n((?:  .+\n)+)", parser_of(name).format_help(), re.MULTILINE)
    for line in lines[1].splitlines() if lines else ():
        command = line.partition("manage.py ")[2]
        yield shlex.split(re.split(r"\s{2,}| \| |\)$", command)[0])


def leaves(parser) -> list[ArgumentParser]:
    """Return the parser, or those of its verbs."""
    verbs = [each.choices.values() for each in parser._actions if each.nargs == "A..."]
    return list(verbs[0]) if verbs else [parser]


@pytest.mark.parametrize("name", NAMES)
def test_the_help_has_examples_and_each_of_them_is_understood(name):
    found = list(examples_of(name))

    assert found
    for command, *arguments in found:
        assert parser_of(command).parse_args(arguments)
    assert name in {command for command, *_ in found}
    assert "exit codes:\n  0 " in parser_of(name).format_help()


@pytest.mark.parametrize("name", NAMES)
def test_every_command_can_be_asked_for_json(name):
    assert ["--json" in each._option_string_actions for each in leaves(parser_of(name))].count(False) == 0


def test_the_tables_below_leave_no_command_out():
    assert {name for name, *_ in USED_WELL} | OF_MONGODB == set(NAMES)
    assert {name for name, *_ in USED_BADLY} == set(NAMES)


@pytest.fixture
def installation(make_job, django_user_model):
    """A job, an execution of it with the number 1, a node, a user and a key; and signals as they were, in the end."""
    Job.objects.all().delete()
    make_job("noop", schedule="@hourly")
    execution = JobExecution.objects.request("noop")
    JobExecution.objects.filter(pk=execution.pk).update(
        id=1, status=ExecutionStatus.FAILED, error_message="boom", finished_at=timezone.now()
    )
    now = DatabaseNow()
    Node.objects.create(name="node-1", pid=1, workers=8, started_at=now, heartbeat_at=now, last_tick_at=now)
    olive = django_user_model.objects.create_user("olive")
    grant(olive, "view_job")
    key, _ = ApiKey.objects.issue(user=olive, name="old", actions=["view_job"])
    ApiKey.objects.filter(pk=key.pk).update(prefix="0123456789")
    handlers = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("arguments", USED_WELL, ids=" ".join)
def test_json_is_one_document_and_nothing_else(installation, arguments):
    shown = run_command(*arguments, "--json")

    assert shown.code == 0, shown.err
    assert isinstance(json.loads(shown.out), dict | list)


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.django_db
@pytest.mark.parametrize(
    "arguments", [["cronbackfill", "noop", *PAST, "--dry-run"], ["purge_executions", "--dry-run"]], ids=" ".join
)
def test_long_work_shows_a_bar_to_people_only(installation, arguments):
    people, programs, pipe = Terminal(), Terminal(), StringIO()

    call_command(*arguments, stdout=StringIO(), stderr=people)
    call_command(*arguments, "--json", stdout=StringIO(), stderr=programs)
    call_command(*arguments, stdout=StringIO(), stderr=pipe)

    assert "\r[####################] 100 % " in people.getvalue()
    assert people.getvalue().count("\r\x1b[K") == 1
    assert "%" not in programs.getvalue() + pipe.getvalue()


def test_the_commands_in_the_document_about_moving_in_are_understood():
    text = (ROOT / "docs" / "moving-in.md").read_text(encoding="utf-8")
    lines = re.findall(r"^    manage\.py (.+)$", text, re.MULTILINE)

    assert len(lines) == 4
    for name, *arguments in map(shlex.split, lines):
        assert parser_of(name).parse_args(arguments)


@pytest.mark.django_db
@pytest.mark.parametrize("arguments", USED_BADLY, ids=lambda each: " ".join(each)[:60])
def test_a_mistake_is_told_in_a_sentence(installation, settings, arguments):
    if arguments[0] in OF_MONGODB:
        settings.CRONJOBS = {"MONGODB_URI": "mongodb://127.0.0.1:9/shop", "MONGODB_TIMEOUT": 0.1}

    refused = run_command(*arguments)

    assert refused.code in (1, 2)
    assert refused.out == ""
    assert "Traceback" not in refused.err
    *_usage, sentence = refused.err.strip().splitlines()
    assert re.match(r"(CommandError|manage\.py .+: error): \S", sentence)


@pytest.mark.slow
@pytest.mark.sqlite_only
def test_a_database_without_tables_is_told_in_a_sentence(tmp_path):
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE_URL": f"sqlite:///{tmp_path / 'empty.sqlite3'}",
        "TEST_CRONJOBS": "{}",
    }
    command = [sys.executable, "-m", "tests.tableless", json.dumps(USED_WELL)]
    ended = subprocess.run(  # noqa: S603 - our own module
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=True
    )

    for arguments, outcome in zip(USED_WELL, json.loads(ended.stdout), strict=True):
        said = outcome["out"] + outcome["err"]
        assert (arguments, outcome["uncaught"], outcome["code"]) == (arguments, "", 1)
        assert "migrate" in said or "has no table" in said, arguments
        assert "Traceback" not in said, arguments


def unread(pipe):
    """Return how many bytes wait in a pipe."""
    return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, struct.pack("i", 0)))[0]


@pytest.mark.slow
def test_ctrl_c_ends_a_command_without_a_traceback():
    command = [sys.executable, str(ROOT / "manage.py"), "cronimport", "crontab", "-", "--time-zone", "UTC"]
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": str(ROOT)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    # Whoever starts the tests in the background may ignore it, which a process inherits.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(command, env=environment, **pipes) as process:  # noqa: S603 - our own command
        signal.signal(signal.SIGINT, before)
        # More than a pipe holds: once all of it is read, the command waits for more.
        process.stdin.write(b"# nothing\n" * 20_000)
        process.stdin.flush()
        wait_for(lambda: not unread(process.stdin) and psutil.Process(process.pid).status() == psutil.STATUS_SLEEPING)
        process.send_signal(signal.SIGINT)
        out, err = process.stdout.read(), process.stderr.read()

    assert (out, err.decode(), process.returncode) == (b"", "Interrupted.\n", 130)


def on_a_terminal(*arguments, **environment):
    """Return what a command writes to standard output, a terminal, and to standard error, a pipe."""
    ours, theirs = pty.openpty()
    command = [sys.executable, str(ROOT / "manage.py"), *arguments]
    base = {name: value for name, value in command_environment(**environment).items() if value is not None}
    with subprocess.Popen(command, env=base, stdout=theirs, stderr=subprocess.PIPE) as process:  # noqa: S603 - our own command
        os.close(theirs)
        err = process.stderr.read()
        written = b""
        try:
            while piece := os.read(ours, 65_536):
                written += piece
        except OSError:
            # A terminal that nobody writes to any more ends with an error on Linux.
            pass
        os.close(ours)
    return written.decode(), err.decode()


@pytest.mark.slow
@pytest.mark.sqlite_only
@pytest.mark.django_db(transaction=True)
def test_colours_are_for_a_terminal_and_for_those_who_want_them(make_job, monkeypatch):
    make_job("noop")
    monkeypatch.delenv("NO_COLOR", raising=False)
    arguments = ("cronpreview", "--expression", "@daily")

    assert "\x1b[" in on_a_terminal(*arguments)[0]
    assert "\x1b[" not in on_a_terminal(*arguments, NO_COLOR="1")[0]
    assert "\x1b[" not in on_a_terminal(*arguments, "--no-color")[0]
    assert "\x1b[" not in run_command(*arguments).out
    assert "\x1b[" in run_command(*arguments, "--force-color").out
    # Standard error is a pipe.
    _out, err = on_a_terminal("runjob", "noop", "--queue")
    assert "No node is alive" in err
    assert "\x1b[" not in err


@pytest.mark.django_db
def test_a_status_has_its_colour(installation, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    style = color_style(force_color=True)

    shown = run_command("cronstatus", "--force-color").out

    assert re.search(rf"{re.escape(style.ERROR('#1 failed')[:-4])}[^\x1b]*: boom{re.escape(chr(27))}\[0m", shown)
    assert style.ERROR("x")[:3] in run_command("cronlog", "1", "--force-color").out
    assert style.SUCCESS("x")[:3] in run_command("runjob", "noop", "--force-color").out
    assert "\x1b[" not in run_command("cronstatus").out


@pytest.mark.django_db
@pytest.mark.parametrize("is_forced", [True, False])
def test_a_warning_is_plain_where_nobody_wants_colours(installation, is_forced):
    Node.objects.all().delete()

    warned = run_command("runjob", "noop", "--queue", *(["--force-color"] if is_forced else []))

    assert "No node is alive" in warned.err
    assert ("\x1b[" in warned.err) is is_forced
