"""What commands share: arguments that validate themselves, help with examples, errors without a traceback."""

from __future__ import annotations

import getpass
import json
import logging
import os
from argparse import ArgumentTypeError, RawDescriptionHelpFormatter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError, CommandParser, DjangoHelpFormatter
from django.db import DatabaseError

from cronjobs.conf import words_to_mask
from cronjobs.exceptions import CronJobsError, InvalidSchedule
from cronjobs.jobs._mongodb import mongodb_configured
from cronjobs.jobs._values import as_instant, as_minutes
from cronjobs.schedules import parse_time_zone
from cronjobs.storable import storable_text


class ExamplesFormatter(RawDescriptionHelpFormatter, DjangoHelpFormatter):
    """Leaves the lines of the examples as they are."""


def add_examples(parser: CommandParser, text: str) -> None:
    """Show `text` below the options of ``--help``."""
    parser.formatter_class = ExamplesFormatter
    parser.epilog = text


def minutes(text: str) -> int:
    """Return the number of minutes that an argument says."""
    try:
        return as_minutes(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


def instant(text: str) -> datetime:
    """Return the point in time that an argument says."""
    try:
        return as_instant(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


def zone(text: str) -> str:
    """Return the IANA name of the time zone that an argument says."""
    try:
        parse_time_zone(text)
    except InvalidSchedule as error:
        raise ArgumentTypeError(str(error)) from None
    return text


def as_json(data: Any) -> str:
    """Return `data` as a person and a program can read it."""
    return json.dumps(data, indent=2, ensure_ascii=False)


def require_mongodb() -> None:
    """Raise `CommandError` where no MongoDB is configured."""
    if not mongodb_configured():
        raise CommandError("No MongoDB is configured: set CRONJOBS['MONGODB_URI'].")


@contextmanager
def expected_errors() -> Iterator[None]:
    """Turn what may go wrong around the app, not in it, into one line and exit code 1."""
    try:
        yield
    except Exception as error:
        if not isinstance(error, _expected()):
            raise
        raise CommandError(one_line(error)) from error


def one_line(error: object) -> str:
    """Return what an error says, on one line, without the reply of the server that MongoDB's driver appends."""
    return " ".join(str(error).partition(", full error: ")[0].split())


def said(error: object) -> str:
    """Return what an error says, with the secrets in it masked: it may quote what a person gave."""
    return storable_text(error, mask=words_to_mask())


@contextmanager
def quiet_log() -> Iterator[None]:
    """Keep the app's log lines off the terminal meanwhile: the command itself says what happened."""
    logger = logging.getLogger("cronjobs")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def who() -> str:
    """Return the name under which this command's user asks for something."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container may run under a number that has no name.
        return f"uid {os.getuid()}"


def _expected() -> tuple[type[Exception], ...]:
    try:
        from cronjobs.documents import MongoError
    except ImportError:
        return CronJobsError, DatabaseError, ImportError
    return CronJobsError, DatabaseError, *MongoError
