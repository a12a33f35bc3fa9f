"""Jobs for processes of their own, most of which behave badly."""

from __future__ import annotations

import asyncio
import ctypes
import json
import logging
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

from django.apps import apps

from cronjobs import RetryPolicy, job
from cronjobs.logs import JobContext

Job = apps.get_model("cronjobs", "Job")
AT_ONCE = RetryPolicy(max_attempts=3, initial_delay=timedelta(0), jitter=0)


@job("isolated", executor="process", overlap="allow")
def isolated(context: JobContext, *, value: Any = 1) -> Any:
    """Tell where and as what it runs."""
    context.log.start("Beginning", data={"password": "hunter2"})
    logging.getLogger("somebody.else").warning("From %s", "elsewhere")
    return {
        "value": value,
        "pid": os.getpid(),
        "session": os.getsid(0),
        "context": [
            context.execution_id,
            context.job_name,
            context.trigger,
            context.scheduled_for,
            context.attempt,
            context.max_attempts,
            dict(context.params),
        ],
        "jobs": Job.objects.count(),
    }


@job("isolated-hostile", executor="process", retry=RetryPolicy(max_attempts=1))
def isolated_hostile(context: JobContext, *, how: str) -> Any:
    """End in one of the ways that a process can."""
    context.log.info("The last words")
    return HOSTILE[how]()


@job("hostile", retry=RetryPolicy(max_attempts=1))
def hostile(context: JobContext, *, how: str) -> Any:
    """End in one of the ways that a thread can."""
    return HOSTILE[how]()


class Unspeakable(Exception):
    """Cannot be pickled, and cannot be shown."""

    def __init__(self) -> None:
        self.lock = threading.Lock()

    def __str__(self) -> str:
        raise RuntimeError("no words")


def _raise(error: BaseException) -> NoReturn:
    raise error


def _signal(pid: int, number: int) -> None:
    os.kill(pid, number)
    time.sleep(60)


def _recurse() -> int:
    return 1 + _recurse()


def _write_garbage() -> str:
    """Say what nobody understands on every socket there is."""
    _write_to_sockets(b'{"kind": 1\n\xff\nnull\n{"kind": "nobody", "payload": 1}\n')
    return "done"


def _write_forgeries() -> str:
    """Say what is nearly right: lines and endings that no log and no row can hold."""
    line = {"level": 20, "message": "forged", "data": None, "logged_at": "2026-01-15T12:00:00+00:00"}
    ending = {
        **dict.fromkeys(("finished_at", "run_after", "claim_at"), line["logged_at"]),
        **dict.fromkeys(("outcome", "status"), "succeeded"),
        **dict.fromkeys(("error_type", "error_message", "traceback", "reason"), ""),
        "duration_ms": 1,
    }
    faults: list[dict[str, Any]] = [
        {"level": "high"},
        {"level": True},
        {"message": None},
        {"message": "\0 \ud800"},
        {"data": {"\ud800": math.nan}},
        {"logged_at": "2026-01-15T12:00:00"},
        {"logged_at": "0001-01-01T00:00:00+14:00"},
    ]
    messages = [{"kind": "line", "payload": {**line, **each}} for each in faults]
    faults = [{"duration_ms": "1"}, {"error_message": None}, {"run_after": "2026-01-15T12:00:00"}]
    messages += [
        {"kind": "ending", "payload": {"is_terminated": False, "ending": {**ending, **each}}} for each in faults
    ]
    _write_to_sockets("".join(f"{json.dumps(each)}\n" for each in messages).encode())
    return "done"


def _write_without_end() -> str:
    """Say more than anybody would listen to."""
    for _ in range(70):
        _write_to_sockets(bytes(2**20))
    return "done"


@job("isolated-hydra", executor="process", retry=RetryPolicy(max_attempts=1))
def isolated_hydra(context: JobContext, *, path: str) -> None:
    """Leave processes behind that end at once, each in favour of another one."""
    for _ in range(4):
        if os.fork() == 0:
            os.setsid()
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline and os.fork() == 0:
                with Path(path).open("a", encoding="ascii") as file:
                    file.write(".")
            os._exit(0)
    while not Path(path).exists():
        time.sleep(0.01)


def _write_to_sockets(data: bytes) -> None:
    for descriptor in os.listdir("/proc/self/fd"):  # noqa: PTH208 - of which one is closed meanwhile
        with suppress(OSError):
            if "socket" in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
                with open(int(descriptor), "wb", closefd=False) as sock:
                    sock.write(data)


HOSTILE: dict[str, Callable[[], Any]] = {
    "segfault": lambda: ctypes.string_at(0),
    "exit-3": lambda: os._exit(3),
    "exit-0": lambda: os._exit(0),
    "killed": lambda: _signal(os.getpid(), signal.SIGKILL),
    "terminated": lambda: _signal(os.getpid(), signal.SIGTERM),
    "guardian-killed": lambda: _signal(os.getppid(), signal.SIGKILL),
    "system-exit": lambda: sys.exit(4),
    "interrupt": lambda: _raise(KeyboardInterrupt()),
    "recursion": _recurse,
    "unspeakable": lambda: _raise(Unspeakable()),
    "unpicklable": lambda: {"lock": threading.Lock(), "lambda": lambda: None},
    "garbage": _write_garbage,
    "forgeries": _write_forgeries,
    "endless": _write_without_end,
}


@job("limited", executor="process", retry=RetryPolicy(max_attempts=1))
def limited(
    context: JobContext, *, path: str = "", spin: bool = False, grow: int = 0, stubborn: bool = False, wait: float = 60
) -> str:
    """Start helpers that try to escape, then use up what it is given."""
    if path:
        _start_helpers(Path(path))
    ballast = [bytearray(2**20) for _ in range(grow)]
    context.log.info("Settled", data={"ballast": len(ballast)})
    deadline = time.monotonic() + wait
    try:
        while time.monotonic() < deadline:
            try:
                time.sleep(0 if spin else 0.05)
            except BaseException:
                if not stubborn:
                    raise
    finally:
        if path and not stubborn:
            Path(f"{path}.tidied").touch()
    return "not ended"


def _start_helpers(path: Path) -> None:
    """Start a child, a child in a session of its own, and one whose parent has ended; note who they are."""
    nap = [sys.executable, "-S", "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"]
    helpers = [subprocess.Popen(nap), subprocess.Popen(nap, start_new_session=True)]  # noqa: S603
    orphan = f"import subprocess, sys; print(subprocess.Popen({nap!r}, start_new_session=True, stdout=2).pid)"
    output = subprocess.run([sys.executable, "-c", orphan], stdout=subprocess.PIPE, check=True)  # noqa: S603
    pids = [os.getpid(), *(each.pid for each in helpers), int(output.stdout)]
    path.write_text(" ".join(map(str, pids)), encoding="ascii")


@job("isolated-chatter", executor="process")
def isolated_chatter(context: JobContext, *, lines: int, size: int = 10) -> str:
    """Say much."""
    for number in range(lines):
        context.log.info("line", data={"number": number, "padding": "x" * size})
    return "y" * size


@job("isolated-coroutine", executor="process")
async def isolated_coroutine(context: JobContext, *, seconds: float = 0.0) -> int:
    """Use the database, take some time, and tidy up."""
    count = await Job.objects.acount()
    try:
        await asyncio.sleep(seconds)
    finally:
        context.log.complete("Tidied")
    return count


@job("isolated-patient", executor="process")
def isolated_patient(context: JobContext, *, seconds: float = 60) -> dict[str, bool]:
    """Wait until asked to stop, then tidy up."""
    return {"tidied": context.stop_requested.wait(seconds)}


@job("slow-twice", executor="process", timeout=0.5, retry=AT_ONCE)
def slow_twice(context: JobContext) -> str:
    """Take too long on the first two attempts."""
    time.sleep(60 if context.attempt < 3 else 0)
    return "in time"


@job("has-variables", executor="process")
def has_variables(context: JobContext, *, names: list[str] = []) -> list[str]:  # noqa: B006 - never changed
    """Return those of `names` that its environment has."""
    return [each for each in names if each in os.environ]


@job("overruns", executor="thread", timeout=0.2)
def overruns(context: JobContext, *, seconds: float = 1.0) -> str:
    """Take longer than it may, where nobody can do anything about it."""
    time.sleep(seconds)
    return "late"


@job("isolated-talkative", executor="process", overlap="allow", retry=RetryPolicy(max_attempts=1))
def isolated_talkative(context: JobContext, *, seconds: float = 0.0) -> dict[str, Any]:
    """Use everything that a job can say itself with, and tell what it runs after."""
    print("Printed")
    print("Wrong: password=hunter2", file=sys.stderr)
    context.progress(1, 2, "half of it")
    time.sleep(seconds)
    context.progress(2, 2, "all of it")
    return {name: each.result for name, each in context.upstream.items()}


@job("stops-its-guardian", executor="process", timeout=0.5, retry=RetryPolicy(max_attempts=1))
def stops_its_guardian(context: JobContext, *, path: str) -> None:
    """Silence whoever watches, and stay."""
    Path(path).write_text(f"{os.getpid()} {os.getppid()}", encoding="ascii")
    os.kill(os.getppid(), signal.SIGSTOP)
    time.sleep(60)
