"""Who runs a command, for the security log."""

from __future__ import annotations

from cronjobs.management.arguments import who
from cronjobs.security import Actor, ActorKind


def shell(command: str) -> Actor:
    """Return the user of this machine who runs the command of that name."""
    return Actor(name=who(), kind=ActorKind.SHELL, action=command)
