"""What this process can say about itself."""

from __future__ import annotations

import resource
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil


def installed_version() -> str:
    """Return the version of this package; ``source`` where it runs without having been installed."""
    try:
        return version("cronjobs")
    except PackageNotFoundError:
        return "source"


def resident_bytes() -> int:
    """Return the memory this process occupies now, in bytes (its peak, where the system tells only that)."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    return pages * resource.getpagesize()


def resident_bytes_of_all() -> int:
    """Return the memory that this process and all below it occupy now, in bytes; what they share counts for each."""
    total = 0
    for each in [psutil.Process(), *psutil.Process().children(recursive=True)]:
        try:
            total += each.memory_info().rss
        except psutil.Error:
            # It has ended meanwhile.
            continue
    return total
