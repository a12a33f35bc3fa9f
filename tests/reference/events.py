"""Every signal of `cronjobs.events` with what the code says of it."""

from __future__ import annotations

import inspect
import re

from cronjobs import events
from tests.reference import table

_SIGNAL = re.compile(r"((?:^# .*\n)+)^(\w+) = Signal\(", re.MULTILINE)


def signals() -> str:
    """Return the table of signals."""
    rows = []
    for comment, name in _SIGNAL.findall(inspect.getsource(events)):
        said = " ".join(comment.replace("# ", "").split())
        meaning, _, arguments = said.partition("Arguments: ")
        rows.append((f"`{name}`", meaning, arguments.removesuffix(".")))
    return table(("signal", "is sent when", "arguments"), rows)
