"""Where a request comes from, as a text that no client chooses and that is the same for one client."""

from __future__ import annotations

import ipaddress
from typing import Any, Final

from django.conf import settings

from cronjobs.storable import storable_text

_LONGEST: Final = 64
# A provider gives one customer so much, who can use any address in it.
_OF_ONE_CUSTOMER: Final = 64


def address_of(request: Any) -> str:
    """Return the caller's address: REMOTE_ADDR, or what REST framework's NUM_PROXIES says to believe of X-Forwarded-For.

    Without NUM_PROXIES the header counts for nothing: anybody can send it. `request` is Django's or
    REST framework's.
    """
    text = _as_told(request.META)
    found = _parsed(text)
    return storable_text(text, max_bytes=_LONGEST) if found is None else str(found)


def network_of(address: str) -> str:
    """Return what one customer of a provider has in common: the address itself, or the /64 of an IPv6 one."""
    found = _parsed(address)
    if not isinstance(found, ipaddress.IPv6Address) or found.is_loopback:
        return address
    return str(ipaddress.ip_network((found, _OF_ONE_CUSTOMER), strict=False))


def _as_told(headers: Any) -> str:
    # Read here and not through REST framework, which the admin may be used without.
    proxies = (getattr(settings, "REST_FRAMEWORK", None) or {}).get("NUM_PROXIES")
    remote, forwarded = headers.get("REMOTE_ADDR") or "", headers.get("HTTP_X_FORWARDED_FOR")
    if proxies in (None, 0) or not forwarded:
        return str(remote)
    addresses = str(forwarded).split(",")
    # Each proxy adds one at the end; what stands before those may be invented.
    return addresses[-min(int(proxies), len(addresses))].strip()


def _parsed(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found
