"""Addresses of other people's servers, which people write into settings and forms. Their paths may be secrets."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import SplitResult, urlsplit

from cronjobs.exceptions import InvalidAddress
from cronjobs.language import gettext as _
from cronjobs.masking import MASKED

ADDRESS_MAX_LENGTH = 500

_PRINTABLE = re.compile(r"[!-~]+", re.ASCII)
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?\.?|[0-9a-f:.]*:[0-9a-f:.]*", re.ASCII)


def split_address(text: object, *, hosts: Iterable[str] = ()) -> SplitResult:
    """Return the parts of an http or https address; raise `InvalidAddress`, which does not quote it, for any other.

    `hosts`, if there are any, are the only ones that it may lead to; ``.example.com`` stands for
    that host and all below it.
    """
    if not isinstance(text, str) or not _PRINTABLE.fullmatch(text) or "\\" in text:
        raise InvalidAddress(_("An address is text without spaces, in ASCII, such as https://hc.example.com/abc."))
    if len(text) > ADDRESS_MAX_LENGTH:
        raise InvalidAddress(_("An address has at most %(most)d characters.") % {"most": ADDRESS_MAX_LENGTH})
    try:
        parts = urlsplit(text)
        is_usable = parts.port != 0 and _HOST.fullmatch(parts.hostname or "") is not None
    except ValueError:
        is_usable = False
    if not is_usable or parts.scheme not in ("http", "https"):
        raise InvalidAddress(_("An address begins with http:// or https:// and the name of a host."))
    if "@" in parts.netloc:
        raise InvalidAddress(_("An address must not hold a user or a password."))
    hosts = tuple(hosts)
    if hosts and not any(_is_within(parts.hostname or "", each) for each in hosts):
        message = _("The host %(host)s is not one of those that the settings allow.")
        raise InvalidAddress(message % {"host": parts.hostname})
    return parts


def parse_address(text: Any) -> str:
    """Return `text` if it is such an address, or empty; else raise `InvalidAddress`."""
    if text != "":
        split_address(text)
    return str(text)


def hidden_address(text: str) -> str:
    """Return the address with nothing readable but its host, or nothing at all where it has none; empty stays empty."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return MASKED
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}/{MASKED}" if host else MASKED if text else ""


def _is_within(host: str, allowed: str) -> bool:
    host, allowed = host.rstrip(".").lower(), allowed.rstrip(".").lower()
    return host == allowed.lstrip(".") if not allowed.startswith(".") else f".{host}".endswith(allowed)
