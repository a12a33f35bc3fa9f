"""What the kernel says of a process: the time of a processor that it has used, and its memory. Linux only."""

from __future__ import annotations

import os
from pathlib import Path


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used, in the kernel's and its own code, with that of children which ended."""
    # The name, the second field, may hold spaces; it ends with the last parenthesis.
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return sum(int(ticks) for ticks in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def megabytes(pid: int, key: str = "VmRSS") -> float:
    """Return a size that the kernel tells of a process."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith(f"{key}:"))
    return round(int(line.split()[1]) * 1024 / 1_000_000, 1)
