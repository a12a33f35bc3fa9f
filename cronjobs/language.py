"""In which language the engine speaks: in the reader's, and in the site's own where what it says is stored.

Messages are translated when they are said, never when a module is imported: whatever speaks here is
also used before Django is ready, and without it, and then speaks English.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.apps import apps
from django.conf import settings
from django.utils import translation


def gettext(message: str) -> str:
    """Return `message` in the language of whoever is served at the moment, else in the site's."""
    return translation.gettext(message) if _has_catalogues() else message


def gettext_noop(message: str) -> str:
    """Return `message` as it is, marked for catalogues: it is translated when it is said. Django's own asks settings."""
    return message


def ngettext(singular: str, plural: str, number: int) -> str:
    """Return what suits `number` of the two, as `gettext` does."""
    if _has_catalogues():
        return translation.ngettext(singular, plural, number)
    return singular if number == 1 else plural


def pgettext(context: str, message: str) -> str:
    """Return `message`, which only `context` makes clear, as `gettext` does."""
    return translation.pgettext(context, message) if _has_catalogues() else message


@contextmanager
def site_language() -> Iterator[None]:
    """Say everything in the site's own language meanwhile: around whatever writes sentences that stay.

    Without it the language of somebody's request would be stored for everybody.
    """
    before = translation.get_language()
    if before != settings.LANGUAGE_CODE:
        with translation.override(settings.LANGUAGE_CODE):
            yield
        return
    # As most often, in a thread of ours: to activate what is active takes longer than to look.
    try:
        yield
    finally:
        if translation.get_language() != before:
            translation.activate(before)


def listed(parts: list[str]) -> str:
    """Return at least one part as a list in a sentence: "a", "a and b", "a, b, and c"."""
    *head, last = parts
    if not head:
        return last
    if len(head) == 1:
        return gettext("%(first)s and %(last)s") % {"first": head[0], "last": last}
    return gettext("%(parts)s, and %(last)s") % {"parts": with_commas(head), "last": last}


def with_commas(parts: list[str]) -> str:
    """Return parts as a list without a word before the last: "a, b, c"."""
    return pgettext("between the parts of a list", ", ").join(parts)


def _has_catalogues() -> bool:
    # Catalogues are those of the installed apps. A declaration that is wrong is refused while these are imported.
    return settings.configured and apps.apps_ready
