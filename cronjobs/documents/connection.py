"""How this process talks to MongoDB: one client, made when first needed, and errors that hold no secret."""

from __future__ import annotations

import atexit
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

from django.core.signals import setting_changed
from mongoengine.errors import OperationError
from pymongo import MongoClient
from pymongo.errors import (
    ConfigurationError,
    ConnectionFailure,
    CursorNotFound,
    InvalidURI,
    OperationFailure,
    PyMongoError,
)

from cronjobs.conf import get_settings
from cronjobs.exceptions import InvalidSettings, MongoUnavailable

if TYPE_CHECKING:
    from pymongo.database import Database

# As Mongoose does for a URI that names none.
DEFAULT_DATABASE = "test"

# Whatever goes wrong while talking to MongoDB, for callers that only report it.
MongoError = (PyMongoError, OperationError)

# MongoDB's codes for missing rights and a wrong password; the last is Atlas's.
_REFUSED_USER = frozenset({13, 18, 8000})

# A shape so strict that no part of a mistyped password can pass for a host.
_URI = re.compile(r"mongodb(?:\+srv)?://(?:[^@/?#]*@)?(?P<hosts>[^@/?#]+)(?:[/?][^@]*)?")


def is_configured() -> bool:
    """Return whether the settings name a MongoDB."""
    return bool(get_settings().mongodb_uri)


def describe_hosts(uri: str) -> str:
    """Return the hosts that `uri` names, without user, password or options."""
    match = _URI.fullmatch(uri)
    return match["hosts"] if match else "an address that cannot be read"


def ping() -> timedelta:
    """Return how long MongoDB takes to answer; raise `MongoUnavailable` if it does not."""
    with errors_reported():
        started = time.monotonic()
        database().command("ping")
        return timedelta(seconds=time.monotonic() - started)


def database() -> Database[dict[str, Any]]:
    """Return the database that the URI's path names; nothing is sent until it is used."""
    return _connection.database()


@contextmanager
def patience_limited(limit: timedelta) -> Iterator[None]:
    """Give up looking for a server after `limit` at the latest, in this process, meanwhile."""
    _connection.limit(limit)
    try:
        yield
    finally:
        _connection.limit(None)


@contextmanager
def errors_reported() -> Iterator[None]:
    """Raise `MongoUnavailable`, which holds no secret, for what another attempt may mend."""
    try:
        yield
    except MongoError as error:
        # MongoEngine wraps the driver's error in its own.
        cause = error.__context__ if isinstance(error, OperationError) else error
        if not _is_transient(cause):
            raise
        hosts = describe_hosts(get_settings().mongodb_uri)
        raise MongoUnavailable(hosts, reason_of(cause)) from error


def user_is_refused(error: BaseException | None) -> bool:
    """Return whether MongoDB refuses the user: the password or the rights are wrong."""
    return isinstance(error, OperationFailure) and error.code in _REFUSED_USER


def _is_transient(error: BaseException | None) -> bool:
    # A name that cannot be resolved is a ConfigurationError to the driver. A password that is
    # wrong may be one that is being changed.
    if isinstance(error, ConnectionFailure | CursorNotFound | ConfigurationError) or user_is_refused(error):
        return True
    return isinstance(error, PyMongoError) and (error.timeout or error.has_error_label("RetryableWriteError"))


def reason_of(error: BaseException | None) -> str:
    """Return the first sentence of what the driver says, which names hosts but no user and no password."""
    # Behind the first sentence the driver prints its timeouts and its view of the topology.
    text = re.split(r" \(configured timeouts|, Timeout: |, full error: ", str(error), maxsplit=1)[0]
    return " ".join(text.split())[:300]


class _Connection:
    """This process's client: made when first needed, anew after a fork and after a change of settings."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._database: Database[dict[str, Any]] | None = None
        self._pid = 0
        self._limit: timedelta | None = None
        # What a fork copied. Closing it would end sessions that the parent uses.
        self._inherited: list[object] = []

    def database(self) -> Database[dict[str, Any]]:
        with self._lock:
            if self._pid != os.getpid():
                self._inherited.append(self._database)
                self._database, self._pid = None, os.getpid()
            if self._database is None:
                self._database = self._connect()
            return self._database

    def limit(self, limit: timedelta | None) -> None:
        self.close()
        self._limit = limit

    def close(self) -> None:
        with self._lock:
            if self._database is not None and self._pid == os.getpid():
                self._database.client.close()
                self._database = None

    def after_fork(self) -> None:
        # A thread that held the lock does not exist in the child.
        self._lock = threading.Lock()

    def _connect(self) -> Database[dict[str, Any]]:
        settings = get_settings()
        if not settings.mongodb_uri:
            raise InvalidSettings("CRONJOBS['MONGODB_URI'] is not set, so there is no MongoDB to talk to.")
        wait = settings.mongodb_timeout if self._limit is None else min(self._limit, settings.mongodb_timeout)
        try:
            return _client(settings.mongodb_uri, wait).get_default_database(DEFAULT_DATABASE)
        except (PyMongoError, ValueError, TypeError, OSError) as error:
            # Not chained: the driver quotes what it cannot parse, which may be a password.
            raise InvalidSettings(
                f"CRONJOBS['MONGODB_URI'] cannot be used ({type(error).__name__}). It has the form "
                "mongodb://user:password@host:port/database?options, and in user and password "
                "the characters : / ? # [ ] @ % are percent-encoded."
            ) from None


def _client(uri: str, wait: timedelta) -> MongoClient[dict[str, Any]]:
    # The driver would take any other text as the name of a host.
    if not uri.startswith(("mongodb://", "mongodb+srv://")):
        raise InvalidURI
    milliseconds = round(wait / timedelta(milliseconds=1))
    return MongoClient(
        uri,
        appname="cronjobs",
        connect=False,
        connectTimeoutMS=milliseconds,
        serverSelectionTimeoutMS=milliseconds,
        tz_aware=True,
        tzinfo=UTC,
        # JavaScript's dates reach further than Python's.
        datetime_conversion="DATETIME_AUTO",
    )


_connection = _Connection()
os.register_at_fork(after_in_child=_connection.after_fork)
atexit.register(_connection.close)


def _forget(*, setting: str, **_: object) -> None:
    if setting == "CRONJOBS":
        _connection.close()


setting_changed.connect(_forget, dispatch_uid="cronjobs.documents")
