"""The processes below another one: which there are, and what they use."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True)
class Member:
    """One process. CPU time includes that of the children it has waited for; memory is the resident set."""

    pid: int
    parent: int
    cpu_seconds: float
    rss_bytes: int
    is_zombie: bool


def below(pid: int) -> list[Member]:
    """Return the descendants of `pid`, parents first."""
    children: dict[int, list[Member]] = {}
    for each in _linux_members() if sys.platform == "linux" else _members_below(pid):
        children.setdefault(each.parent, []).append(each)
    found, parents = [], [pid]
    while parents:
        generation = [each for parent in parents for each in children.pop(parent, [])]
        found += generation
        parents = [each.pid for each in generation]
    return found


def _linux_members() -> Iterator[Member]:
    """Yield every process: one small file tells all that is asked, where psutil would read several."""
    for name in os.listdir("/proc"):  # noqa: PTH208 - a Path for each would take twice the time
        if name.isdigit():
            with suppress(OSError, ValueError, IndexError):
                yield _parse(int(name), Path(f"/proc/{name}/stat").read_bytes())


_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def _parse(pid: int, text: bytes) -> Member:
    # The name, the second field, may hold anything; it ends with the last parenthesis.
    fields = text.rpartition(b")")[2].split()
    return Member(
        pid=pid,
        parent=int(fields[1]),
        cpu_seconds=sum(map(int, fields[11:15])) / _TICKS,
        rss_bytes=int(fields[21]) * _PAGE,
        is_zombie=fields[0] in (b"Z", b"X"),
    )


def _members_below(pid: int) -> Iterator[Member]:
    with suppress(psutil.NoSuchProcess):
        for each in psutil.Process(pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                times, is_zombie = each.cpu_times(), each.status() == psutil.STATUS_ZOMBIE
                rss = 0 if is_zombie else each.memory_info().rss
                yield Member(each.pid, each.ppid(), sum(times[:4]), rss, is_zombie)
