"""Telling people what is wrong: notifiers, the messages they send, and the thread that sees to it that they do."""

from __future__ import annotations

from cronjobs.exceptions import SendingFailed
from cronjobs.notifications.base import Notifier, NotifierOptions, option
from cronjobs.notifications.messages import Message

__all__ = ["Message", "Notifier", "NotifierOptions", "SendingFailed", "option"]
