"""The only code that changes an execution's status: claim, renew, record, rescue. Every write is guarded."""

from __future__ import annotations

from cronjobs.models.moves.cancellations import Cancellation, cancel
from cronjobs.models.moves.candidates import in_open_queues
from cronjobs.models.moves.choosing import Claimed
from cronjobs.models.moves.claims import adopt, claim, claim_one, hand_back, new_token, renew
from cronjobs.models.moves.dispatches import begin, dispatch, give_to_nodes, recall, take_back
from cronjobs.models.moves.endings import Ending, record
from cronjobs.models.moves.losses import abandon, rescue
from cronjobs.models.moves.notices import give_notice
from cronjobs.models.moves.progress import record_progress
from cronjobs.models.moves.revivals import REVIVABLE, revive

__all__ = [
    "REVIVABLE",
    "Cancellation",
    "Claimed",
    "Ending",
    "abandon",
    "adopt",
    "begin",
    "cancel",
    "claim",
    "claim_one",
    "dispatch",
    "give_notice",
    "give_to_nodes",
    "hand_back",
    "in_open_queues",
    "new_token",
    "recall",
    "record",
    "record_progress",
    "renew",
    "rescue",
    "revive",
    "take_back",
]
