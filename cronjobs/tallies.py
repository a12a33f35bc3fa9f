"""Counts in one of Django's caches, shared by the processes that share it: good enough to hold back floods, and never in the way."""

from __future__ import annotations

import hashlib
import logging
from datetime import timedelta

from django.core.cache import caches
from django.core.cache.backends.base import BaseCache

from cronjobs.conf import settings_or_defaults, words_to_mask
from cronjobs.storable import storable_text

logger = logging.getLogger(__name__)

_MARK = "cronjobs"


def digest(*parts: object) -> str:
    """Return 32 characters that stand for these parts, whatever is in them and however long they are."""
    text = "\0".join(map(str, parts))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def count_one(key: str, *, lasts: timedelta) -> int | None:
    """Count one more under `key`, which is forgotten after `lasts`, and return how many there are.

    None: the cache does not work, which is logged. Whoever counts goes on without it: a cache
    that is away must not take with it what it only protects.
    """
    try:
        return _count(f"{_MARK}:{key}", lasts.total_seconds())
    except Exception as error:  # noqa: BLE001 - each cache has exceptions of its own
        logger.warning(
            "The cache does not count: %s: %s", type(error).__name__, storable_text(error, mask=words_to_mask())
        )
        return None


def _count(key: str, seconds: float) -> int:
    cache = caches[settings_or_defaults().cache]
    for _ in range(2):
        try:
            number = cache.incr(key)
        except ValueError:
            # It is not there; somebody else may put it there first.
            if cache.add(key, 1, seconds):
                return 1
        else:
            if _forgets_timeouts(cache):
                cache.touch(key, seconds)
            return number
    return 1


def _forgets_timeouts(cache: BaseCache) -> bool:
    """Return whether the cache keeps what was incremented for its own default time, as those in files and tables do."""
    return type(cache).incr is BaseCache.incr
