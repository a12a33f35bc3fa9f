"""Webhooks: signed JSON as Standard Webhooks has it, or the shape that Slack expects."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

from cronjobs.addresses import split_address
from cronjobs.exceptions import InvalidSettings
from cronjobs.notifications.base import Notifier, NotifierOptions, option
from cronjobs.notifications.messages import Message
from cronjobs.notifications.posting import post
from cronjobs.notifications.slack import slack_payload
from cronjobs.parsing import Address, Secret

_ENCODED = "whsec_"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookOptions(NotifierOptions):
    """Where to, the key of the signature (empty: none is made), for how long at most, and in which shape."""

    url: Address = option()
    secret: Secret = option(Secret(""))
    timeout: timedelta = option(timedelta(seconds=10), low=0.1, high=30)
    format: str = option("json", one_of=("json", "slack"))


class WebhookNotifier(Notifier):
    """Posts JSON to an address."""

    options_class: ClassVar = WebhookOptions
    options: WebhookOptions

    def __init__(self, name: str, options: Any, *, path: str) -> None:
        super().__init__(name, options, path=path)
        try:
            self._key = signing_key(self.options.secret)
        except ValueError:
            raise InvalidSettings(f"{path}['SECRET'] begins with whsec_, and what follows is not base64.") from None

    def send(self, message: Message) -> None:
        payload = slack_payload(message) if self.options.format == "slack" else message.as_json()
        body = json.dumps(payload, ensure_ascii=True, separators=(",", ":")).encode()
        sent_at = int(time.time())
        headers = {
            "Content-Type": "application/json",
            "webhook-id": message.message_id,
            "webhook-timestamp": str(sent_at),
        }
        if self._key:
            headers["webhook-signature"] = signature(self._key, message.message_id, sent_at, body)
        post(split_address(self.options.url), body, headers=headers, timeout=self.options.timeout)


def signing_key(secret: str) -> bytes:
    """Return the bytes that `secret` stands for: base64 behind ``whsec_``, else its own; raise `ValueError` for bad base64."""
    if not secret.startswith(_ENCODED):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_ENCODED), validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error


def signature(key: bytes, message_id: str, sent_at: int, body: bytes) -> str:
    """Return the header that proves that whoever knows `key` sent this body at `sent_at`, in seconds since 1970."""
    signed = b".".join((message_id.encode(), str(sent_at).encode(), body))
    return f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}"
