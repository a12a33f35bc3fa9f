"""How often refusals are written down while there are many of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from cronjobs.tallies import count_one

# So many of one caller at one address are written one by one in a minute; beyond, only the 128th, the 256th and so on.
_EXACT: Final = 64
_KEPT: Final = timedelta(minutes=2)


def refusals_to_add(caller_key: str) -> int:
    """Count another refusal of a caller in a minute, and return how many are to be added to its row now.

    A flood so costs a few statements a minute, and takes one place in the cache, however many
    kinds of requests it is made of. Its rows fall short by less than half, and the requests
    that are not added are in the log. Without a cache each is added.
    """
    number = count_one(f"flood:{caller_key}", lasts=_KEPT)
    if number is None or number <= _EXACT:
        return 1
    is_power_of_two = number & (number - 1) == 0
    return number // 2 if is_power_of_two else 0
