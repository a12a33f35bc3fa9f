"""What is left of a row that the database does not take as it is: as much as it does take."""

from __future__ import annotations

import dataclasses
import json
import logging
import re
from collections.abc import Sequence
from typing import Any

from django.db import DatabaseError, InterfaceError, InternalError, OperationalError, ProgrammingError

from cronjobs.conf import get_settings
from cronjobs.language import gettext as _
from cronjobs.logs import LogLine
from cronjobs.models.moves import Ending, record
from cronjobs.storable import storable_text

# What may go away by itself. PostgreSQL reports a standby that takes no writes as an internal error,
# and tables that a migration has not made yet as a programming error.
_OUTAGE = (OperationalError, InterfaceError, InternalError, ProgrammingError)
# "Incorrect string value" is an operational error to MySQL's driver.
_REFUSED_MYSQL = frozenset({1366})

logger = logging.getLogger(__name__)

Rows = tuple[Sequence[LogLine], Sequence[Ending]]

# What takes four bytes, which a column of MySQL's old utf8 does not hold.
_BEYOND_THREE_BYTES = re.compile("[\U00010000-\U0010ffff]")


def is_outage(error: Exception) -> bool:
    """Return whether the same may be written later, as far as the error tells."""
    return isinstance(error, _OUTAGE) and not (error.args and error.args[0] in _REFUSED_MYSQL)


def versions(lines: Sequence[LogLine], endings: Sequence[Ending], refusal: Exception) -> list[Rows]:
    """Return a row as it is, then without its four-byte characters if it has any, and at last without its texts."""
    whole = lines, endings
    plain = [_plain_line(each) for each in lines], [_plain_ending(each) for each in endings]
    bare = [_bare_line(each, refusal) for each in lines], [_bare_ending(each, refusal) for each in endings]
    return [whole, bare] if plain == whole else [whole, plain, bare]


def record_apart(lines: Sequence[LogLine], endings: Sequence[Ending], refusal: Exception) -> set[int]:
    """Write row by row, each as whole as the database takes it; return the ids that were no longer ours.

    Raises what the database says to a row without any text: then it is not the text.
    """
    lost: set[int] = set()
    for row in [*(([each], []) for each in lines), *(([], [each]) for each in endings)]:
        lost |= _record_one(versions(*row, refusal), refusal)
    return lost


def describe(lines: Sequence[LogLine], endings: Sequence[Ending]) -> str:
    """Return what the one row is, for the process log."""
    return f"The ending of {endings[0].execution}" if endings else f"A line of execution {lines[0].execution_id}"


def said(error: Exception) -> str:
    """Return what a database said, which may quote what it refuses."""
    return storable_text(error, max_bytes=2_000, mask=get_settings().mask)


def _record_one(candidates: Sequence[Rows], refusal: Exception) -> set[int]:
    whole, *others = candidates
    try:
        return record(*whole)
    except DatabaseError as error:
        refusal = error
    logger.error("%s cannot be stored as it is: %s: %s", describe(*whole), type(refusal).__name__, said(refusal))
    for each in others[:-1]:
        try:
            return record(*each)
        except DatabaseError:
            continue
    return record(*others[-1])


def _plain(text: str) -> str:
    return _BEYOND_THREE_BYTES.sub("\N{REPLACEMENT CHARACTER}", text)


def _plain_json(value: Any) -> Any:
    return None if value is None else json.loads(_plain(json.dumps(value, ensure_ascii=False)))


def _plain_line(line: LogLine) -> LogLine:
    return dataclasses.replace(line, message=_plain(line.message), data=_plain_json(line.data))


def _plain_ending(ending: Ending) -> Ending:
    return dataclasses.replace(
        ending,
        result=_plain_json(ending.result),
        progress=_plain_json(ending.progress),
        error_type=_plain(ending.error_type),
        error_message=_plain(ending.error_message),
        traceback=_plain(ending.traceback),
        reason=_plain(ending.reason),
    )


def _bare_line(line: LogLine, refusal: Exception) -> LogLine:
    message = f"This line could not be stored: {type(refusal).__name__}."
    return dataclasses.replace(line, message=message, data=None)


def _bare_ending(ending: Ending, refusal: Exception) -> Ending:
    reason = _("Result and error could not be stored: %(error)s.") % {"error": type(refusal).__name__}
    return dataclasses.replace(ending, result=None, progress=None, error_message="", traceback="", reason=reason)
