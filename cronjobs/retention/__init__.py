"""How long the history is kept, and how the rest of it goes: a little at a time, while everything else goes on."""

from __future__ import annotations

from cronjobs.retention.pace import LARGEST_BATCH, Pace
from cronjobs.retention.policy import LEAST_AGE, Policy, current_policy, kept_at_least
from cronjobs.retention.purge import Purge
from cronjobs.retention.purged import Purged

__all__ = ["LARGEST_BATCH", "LEAST_AGE", "Pace", "Policy", "Purge", "Purged", "current_policy", "kept_at_least"]
