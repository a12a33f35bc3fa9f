"""Which names and priorities there are."""

from __future__ import annotations

import re
from typing import Any

from cronjobs.exceptions import InvalidRequest
from cronjobs.language import gettext as _

NAME_PATTERN = re.compile(r"[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?")
NAME_MAX_LENGTH = 100
OVERLAPS = ("forbid", "allow", "queue", "replace")
PRIORITIES = {"background": 1, "low": 2, "medium": 3, "high": 4, "critical": 5}


def is_valid_name(name: str) -> bool:
    """Return whether `name` may name a job: lower-case letters, digits, inner hyphens and underscores."""
    return len(name) <= NAME_MAX_LENGTH and NAME_PATTERN.fullmatch(name) is not None


def is_valid_queue(name: str) -> bool:
    """Return whether `name` may name a queue: short, on one line, and what ``--queues A,B`` can say; ``*`` is all."""
    return 0 < len(name) <= 50 and name == name.strip() and name.isprintable() and "," not in name and name != "*"


def parse_priority(priority: int | str) -> int:
    """Return the number that `priority`, a number or a name, stands for; raise `InvalidRequest` if there is none."""
    number: Any = PRIORITIES.get(priority, 0) if isinstance(priority, str) else priority
    # bool is an int to Python, and 1.0 the same as 1.
    if isinstance(number, bool) or not isinstance(number, int) or number not in PRIORITIES.values():
        text = _("priority is 1 to 5 or one of %(names)s, not %(value)r.")
        raise InvalidRequest(text % {"names": ", ".join(PRIORITIES), "value": priority})
    return int(number)
