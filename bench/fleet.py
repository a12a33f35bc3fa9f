"""Several nodes, some of which are killed or stopped and replaced while they work."""

from __future__ import annotations

import random
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench import _bench as bench

if TYPE_CHECKING:
    from project.processes import Child


class Fleet:
    """Keeps `size` nodes running; their logs go to `logs`. The dice are the caller's."""

    def __init__(self, size: int, *, logs: Path, dice: random.Random) -> None:
        self._logs, self._dice = logs, dice
        self._active: list[Child] = []
        self._leaving: list[Child] = []
        self.killed: set[int] = set()
        self.terminated: set[int] = set()
        for _ in range(size):
            self._start()

    @property
    def logs(self) -> list[Path]:
        """One file for each node that was started."""
        return sorted(self._logs.glob("node-*.log"))

    def strike(self) -> str:
        """Kill a node, or ask it to stop, and start another in its place; return what was done."""
        child = self._dice.choice(self._active)
        self._active.remove(child)
        if self._dice.random() < 0.5:
            child.process.kill()
            child.process.wait()
            self.killed.add(child.process.pid)
            deed = "kill -9"
        else:
            child.process.terminate()
            self._leaving.append(child)
            self.terminated.add(child.process.pid)
            deed = "SIGTERM"
        self._start()
        return f"{deed} for process {child.process.pid}"

    def dead(self) -> list[str]:
        """Return a sentence for each node that ended although nobody had asked it to."""
        return [
            f"{child.log.name}: the node ended by itself." for child in self._active if child.process.poll() is not None
        ]

    def retire(self, *, grace: float = 60.0) -> None:
        """Stop every node that still runs."""
        from project.processes import stop

        stop([*self._active, *self._leaving], grace=grace)
        for child in self._active:
            if child.process.returncode == -signal.SIGKILL:
                sys.stderr.write(f"{child.log.name}: the node did not stop within {grace:g} s.\n")

    def _start(self) -> None:
        number = len(self._active) + len(self._leaving) + len(self.killed)
        self._active.append(bench.start_node(self._logs / f"node-{number:03}.log"))
