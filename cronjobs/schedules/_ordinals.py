"""Ordinal numbers: in figures, and of days in words where these are usual."""

from __future__ import annotations

from cronjobs.language import pgettext


def ordinal(number: int) -> str:
    """Return 1st for 1, 22nd for 22, 13th for 13."""
    endings = (
        pgettext("ordinal number", "%(number)dst"),
        pgettext("ordinal number", "%(number)dnd"),
        pgettext("ordinal number", "%(number)drd"),
        pgettext("ordinal number", "%(number)dth"),
    )
    place = number % 10 - 1 if number // 10 != 1 and number % 10 in (1, 2, 3) else 3
    return endings[place] % {"number": number}


def day_ordinal(day: int) -> str:
    """Return which day of a month it is: "first", "ninth", "10th", "31st"; "last" for -1."""
    words = {
        -1: pgettext("day of a month", "last"),
        1: pgettext("day of a month", "first"),
        2: pgettext("day of a month", "second"),
        3: pgettext("day of a month", "third"),
        4: pgettext("day of a month", "fourth"),
        5: pgettext("day of a month", "fifth"),
        6: pgettext("day of a month", "sixth"),
        7: pgettext("day of a month", "seventh"),
        8: pgettext("day of a month", "eighth"),
        9: pgettext("day of a month", "ninth"),
    }
    return words.get(day) or ordinal(day)
