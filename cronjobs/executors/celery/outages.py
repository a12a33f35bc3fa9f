"""Why a broker takes nothing, as a sentence that may be shown and kept: never in a driver's words, which may hold an address."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from cronjobs.language import gettext as _
from cronjobs.language import gettext_noop

# By the names of classes, since there need not be both drivers. What says more comes first: with Redis' driver
# a password that is refused is also a connection that fails.
_SENTENCES: Final[Mapping[str, str]] = {
    "AuthenticationError": gettext_noop("The broker refuses the user or the password."),
    "AccessRefused": gettext_noop("The broker refuses the user or the password."),
    "gaierror": gettext_noop("The broker cannot be reached: nobody knows its host."),
    "ConnectionRefusedError": gettext_noop("The broker cannot be reached: it refuses connections."),
    "TimeoutError": gettext_noop("The broker cannot be reached: it does not answer."),
    "ConnectionError": gettext_noop("The broker cannot be reached: the connection breaks off."),
    "RecoverableConnectionError": gettext_noop("The broker cannot be reached: the connection breaks off."),
}


def why_away(error: BaseException) -> str:
    """Return in a sentence why the broker takes nothing, as `error`, which its driver or Celery has raised, tells it."""
    names = {each.__name__ for cause in _causes(error) for each in type(cause).__mro__}
    for name, sentence in _SENTENCES.items():
        if name in names:
            return _(sentence)
    return _("The broker takes nothing: %(error)s.") % {"error": type(error).__name__}


def _causes(error: BaseException) -> Iterator[BaseException]:
    # Celery wraps what the driver raises, and that what the system does.
    cause: BaseException | None = error
    seen: set[int] = set()
    while cause is not None and id(cause) not in seen:
        yield cause
        seen.add(id(cause))
        cause = cause.__cause__ or cause.__context__
