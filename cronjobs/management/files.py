"""Files that a command's arguments name."""

from __future__ import annotations

import sys
from pathlib import Path

from django.core.management.base import CommandError

# More than any file that a person writes.
LARGEST = 1_000_000


def read_file(name: str) -> bytes:
    """Return what a file holds, ``-`` being standard input; raise `CommandError` for one that cannot be read."""
    try:
        if name == "-":
            content = sys.stdin.buffer.read(LARGEST + 1)
        else:
            with Path(name).open("rb") as file:
                content = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        # ValueError: no file can have that name.
        reason = getattr(error, "strerror", None) or error
        raise CommandError(f"{name} cannot be read: {reason}.") from error
    if len(content) > LARGEST:
        raise CommandError(f"{name} is longer than {LARGEST:,} bytes, which nobody has written.")
    return content
