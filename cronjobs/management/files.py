"""Files that a command's arguments name."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

# More than any file that a person writes.
LARGEST = 1_000_000
_PIECE = 65_536


def read_file(name: str) -> bytes:
    """Return what a file holds, ``-`` being standard input; raise `CommandError` for one that cannot be read."""
    try:
        if name == "-":
            content = _content(sys.stdin.buffer)
        else:
            with Path(name).open("rb") as file:
                content = _content(file)
    except (OSError, ValueError) as error:
        # ValueError: no file can have that name.
        reason = getattr(error, "strerror", None) or error
        raise CommandError(f"{name} cannot be read: {reason}.") from error
    if len(content) > LARGEST:
        raise CommandError(f"{name} is longer than {LARGEST:,} bytes, which nobody has written.")
    return content


def _content(stream: Any) -> bytes:
    """Return what a stream holds, as far as that is wanted."""
    content = b""
    # A piece at a time: within one large piece Python would not heed Ctrl-C.
    while len(content) <= LARGEST and (piece := stream.read1(_PIECE)):
        content += piece
    return content
