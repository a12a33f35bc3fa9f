"""How errors are answered: one shape, stable codes, and never a traceback, SQL or a secret.

``{"success": false, "error": <sentence>, "code": <code>, "timestamp": <RFC 3339, UTC>}``, and
``errors`` by field where fields are to blame.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from enum import StrEnum
from itertools import islice
from typing import Any, Final, Self

from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.utils import timezone
from rest_framework import exceptions
from rest_framework.response import Response

from cronjobs.conf import words_to_mask
from cronjobs.exceptions import (
    CannotRetry,
    CronJobsError,
    ExecutionNotFound,
    InvalidParameters,
    InvalidSchedule,
    JobGone,
    JobNotFound,
    JobUnfit,
    MongoUnavailable,
    NodeNotAlive,
    NodeNotFound,
    NotInstalled,
    NotOpen,
    QueueNotFound,
    StillOpen,
)
from cronjobs.storable import rfc3339, storable_json, storable_text

logger = logging.getLogger(__name__)

# Nobody reads more, and a body of a megabyte has room for a hundred thousand.
_MOST_FIELDS: Final = 50


class ErrorCode(StrEnum):
    """What a program may rely on. Codes are added, never changed.

    Each has the `status` that it is answered with, and says in `meaning` what it is about.
    """

    status: int
    meaning: str

    def __new__(cls, code: str, status: int, meaning: str) -> Self:
        self = str.__new__(cls, code)
        self._value_, self.status, self.meaning = code, status, meaning
        return self

    INVALID_BODY = "invalid_body", 400, "The body is not JSON, not an object, or holds a key that is not known."
    INVALID = "invalid", 400, "The values in the body, or a header, cannot be meant; `errors` says why, by key."
    INVALID_PARAMETERS = (
        "invalid_parameters",
        400,
        "The job, or the address in its query, does not take these parameters; `errors` says why, by parameter.",
    )
    INVALID_SCHEDULE = (
        "invalid_schedule",
        400,
        "The text is no schedule, or the name no time zone; `errors` says why, by field.",
    )
    NOT_AUTHENTICATED = "not_authenticated", 401, "No credentials came with the request."
    AUTHENTICATION_FAILED = "authentication_failed", 401, "The credentials are not valid, or their user is not active."
    PERMISSION_DENIED = (
        "permission_denied",
        403,
        "The user, or the key, may not do this; or a session came without its CSRF token.",
    )
    NOT_FOUND = "not_found", 404, "There is no such address."
    JOB_NOT_FOUND = "job_not_found", 404, "There is no job of this name."
    EXECUTION_NOT_FOUND = "execution_not_found", 404, "There is no execution of this number."
    QUEUE_NOT_FOUND = (
        "queue_not_found",
        404,
        "No job uses a queue of this name, and nothing has been decided about one.",
    )
    NODE_NOT_FOUND = "node_not_found", 404, "There is no node of this name."
    METHOD_NOT_ALLOWED = "method_not_allowed", 405, "The address does not know this method."
    JOB_BROKEN = "job_broken", 409, "The job cannot run until somebody mends it."
    JOB_EXISTS = "job_exists", 409, "There is a job of this name already."
    HAS_DEFINITION = (
        "has_definition",
        409,
        "The code defines the job, so it would be made again; it can be disabled instead.",
    )
    NOTHING_TO_SKIP = "nothing_to_skip", 409, "No occurrence of the job comes that could be skipped."
    NODE_NOT_ALIVE = "node_not_alive", 409, "The node has stopped or fallen silent: nobody is there to be asked."
    NOT_OPEN = "not_open", 409, "The execution has ended, so there is nothing to cancel."
    STILL_OPEN = "still_open", 409, "The execution has not ended, so it cannot be run again yet."
    NOT_RETRYABLE = (
        "not_retryable",
        409,
        "The execution cannot be run again: it was missed, or its job takes other parameters now.",
    )
    MONGODB_NOT_CONFIGURED = (
        "mongodb_not_configured",
        409,
        "The installation has no MongoDB, or lacks what it takes to talk to one.",
    )
    BODY_TOO_LARGE = "body_too_large", 413, "The body is larger than the site accepts."
    THROTTLED = "throttled", 429, "Too many requests; Retry-After says when to come back."
    REFUSED_TOO_OFTEN = (
        "refused_too_often",
        429,
        "The address has been refused too often, and is not told again why; Retry-After says when it is.",
    )
    INTERNAL_ERROR = "internal_error", 500, "A fault of the server; its log says which."
    NOT_INSTALLED = "not_installed", 501, "The site has not installed what this address needs."
    DATABASE_UNAVAILABLE = "database_unavailable", 503, "The SQL database does not answer."
    NOT_READY = "not_ready", 503, "The probe `ready` says no."
    NOT_SCHEDULING = "not_scheduling", 503, "The probe `scheduling` says no: nothing fires, or a node is stuck."
    UNHEALTHY = "unhealthy", 503, "A part of the installation does not work; `unhealthy` says which."
    MONGODB_UNAVAILABLE = "mongodb_unavailable", 503, "MongoDB does not answer, or not with what was asked for."

    # The request was served; the execution it was about did not succeed.
    JOB_FAILED = "job_failed", 200, "All attempts failed, or the last one took too long."
    JOB_SKIPPED = "job_skipped", 200, "It was deliberately not performed; `error` is the reason."
    JOB_CANCELLED = "job_cancelled", 200, "It was called off."
    JOB_LOST = "job_lost", 200, "Its worker vanished; whether the work was done is not known."
    JOB_MISSED = "job_missed", 200, "Nobody was there to perform it in time."


class InvalidBody(CronJobsError, ValueError):
    """The body of a request cannot be understood; ``errors`` maps a key to its messages."""

    def __init__(self, message: str, errors: Mapping[str, list[str]] | None = None) -> None:
        self.errors = dict(errors or {})
        super().__init__(message)


class InvalidQuery(CronJobsError, ValueError):
    """The query of an address holds what it does not take; ``errors`` maps a parameter's name to its messages."""

    def __init__(self, errors: Mapping[str, list[str]]) -> None:
        self.errors = dict(errors)
        super().__init__("The query holds what is not understood.")


class InvalidValues(CronJobsError, ValueError):
    """What the request gives cannot be meant; ``errors`` maps a key, or a header, to its messages."""

    def __init__(self, errors: Mapping[str, list[str]]) -> None:
        self.errors = dict(errors)
        super().__init__("The request holds what cannot be meant.")


class RefusedTooOften(exceptions.Throttled):
    """Nobody was let in, as so often before from the same address."""

    default_detail = "Too many requests from this address were refused."


class NoSuchAddress(CronJobsError, LookupError):
    """Nothing of the API answers below the address it is mounted at, with what follows."""

    def __init__(self) -> None:
        super().__init__("There is no such address.")


class JobExists(CronJobsError):
    """A job was to be made, and there is one of that name."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"There is a job named {name!r} already.")


class HasDefinition(CronJobsError):
    """A job was to be deleted that the next deployment would make again."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"The code defines {name!r}, so the job would be made again: disable it instead.")


class NothingToSkip(CronJobsError):
    """No occurrence of a job comes that could be skipped."""


class MongoNotConfigured(CronJobsError):
    """What is asked for is in a MongoDB, and there is none that could be asked."""


class JobBroken(CronJobsError):
    """The job cannot run as it stands."""

    def __init__(self, name: str, reason: str) -> None:
        self.name, self.reason = name, reason
        super().__init__(f"Job {name!r} is broken: {reason}")


def handle_error(error: Exception, context: Mapping[str, Any]) -> Response:
    """Answer `error`, whatever it is; REST framework calls this for every exception in a view."""
    code, sentence = _explain(error)
    if code == ErrorCode.INTERNAL_ERROR:
        logger.error("%s failed.", type(context.get("view")).__name__, exc_info=error)
    elif code == ErrorCode.DATABASE_UNAVAILABLE:
        logger.error("The database is not available: %s", storable_text(error, mask=words_to_mask()).strip())
    return Response(
        error_document(code, sentence, errors=_errors_by_field(error)),
        status=code.status,
        headers=_headers(error),
    )


def _errors_by_field(error: Exception) -> Mapping[str, Any] | None:
    if isinstance(error, InvalidSchedule) and error.field:
        return {error.field: [str(error)]}
    return getattr(error, "errors", None)


def error_document(code: ErrorCode, sentence: str, *, errors: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the body of an error; text that came from the caller may hold anything.

    The messages in `errors` are masked, but not for the name of the field that they are about.
    Of very many fields only the first are told.
    """
    mask = words_to_mask()
    told = islice((errors or {}).items(), _MOST_FIELDS)
    shown = {field: storable_json(messages, mask=mask) for field, messages in told}
    details = {"errors": storable_json(shown)} if shown else {}
    now = rfc3339(timezone.now())
    return {"success": False, "error": storable_text(sentence, mask=mask), "code": code, **details, "timestamp": now}


# First match wins. What has no sentence here says it itself.
_EXPLANATIONS: tuple[tuple[type[Exception], ErrorCode, str], ...] = (
    (InvalidBody, ErrorCode.INVALID_BODY, ""),
    (InvalidQuery, ErrorCode.INVALID_PARAMETERS, ""),
    (InvalidValues, ErrorCode.INVALID, ""),
    (InvalidParameters, ErrorCode.INVALID_PARAMETERS, ""),
    (InvalidSchedule, ErrorCode.INVALID_SCHEDULE, ""),
    (NoSuchAddress, ErrorCode.NOT_FOUND, ""),
    (NotInstalled, ErrorCode.NOT_INSTALLED, ""),
    (JobNotFound, ErrorCode.JOB_NOT_FOUND, ""),
    (QueueNotFound, ErrorCode.QUEUE_NOT_FOUND, ""),
    (NodeNotFound, ErrorCode.NODE_NOT_FOUND, ""),
    (NodeNotAlive, ErrorCode.NODE_NOT_ALIVE, ""),
    (JobExists, ErrorCode.JOB_EXISTS, ""),
    (HasDefinition, ErrorCode.HAS_DEFINITION, ""),
    (NothingToSkip, ErrorCode.NOTHING_TO_SKIP, ""),
    (ExecutionNotFound, ErrorCode.EXECUTION_NOT_FOUND, ""),
    (JobBroken, ErrorCode.JOB_BROKEN, ""),
    (NotOpen, ErrorCode.NOT_OPEN, ""),
    (StillOpen, ErrorCode.STILL_OPEN, ""),
    (JobGone, ErrorCode.JOB_NOT_FOUND, ""),
    (JobUnfit, ErrorCode.JOB_BROKEN, ""),
    (CannotRetry, ErrorCode.NOT_RETRYABLE, ""),
    (MongoNotConfigured, ErrorCode.MONGODB_NOT_CONFIGURED, ""),
    (MongoUnavailable, ErrorCode.MONGODB_UNAVAILABLE, ""),
    (exceptions.NotAuthenticated, ErrorCode.NOT_AUTHENTICATED, ""),
    (exceptions.AuthenticationFailed, ErrorCode.AUTHENTICATION_FAILED, ""),
    (exceptions.PermissionDenied, ErrorCode.PERMISSION_DENIED, ""),
    (DjangoPermissionDenied, ErrorCode.PERMISSION_DENIED, "You do not have permission to perform this action."),
    (exceptions.MethodNotAllowed, ErrorCode.METHOD_NOT_ALLOWED, ""),
    (RefusedTooOften, ErrorCode.REFUSED_TOO_OFTEN, ""),
    (exceptions.Throttled, ErrorCode.THROTTLED, ""),
    (RequestDataTooBig, ErrorCode.BODY_TOO_LARGE, "The body is larger than this site accepts."),
    (SuspiciousOperation, ErrorCode.INVALID_BODY, "The body cannot be read."),
    (BadRequest, ErrorCode.INVALID_BODY, "The body cannot be read."),
    (MultiPartParserError, ErrorCode.INVALID_BODY, "The body cannot be read."),
    (UnreadablePostError, ErrorCode.INVALID_BODY, "The body cannot be read."),
    (OperationalError, ErrorCode.DATABASE_UNAVAILABLE, "The database is not available now."),
    (InterfaceError, ErrorCode.DATABASE_UNAVAILABLE, "The database is not available now."),
)


def _explain(error: Exception) -> tuple[ErrorCode, str]:
    for kind, code, sentence in _EXPLANATIONS:
        if isinstance(error, kind):
            return code, sentence or str(error)
    return ErrorCode.INTERNAL_ERROR, "Something went wrong on the server; its log says what."


def _headers(error: Exception) -> dict[str, str]:
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if isinstance(error, exceptions.Throttled):
        # Rounded up: who comes back too early is only refused again.
        headers["Retry-After"] = str(max(1, math.ceil(getattr(error, "wait", None) or 0)))
    return headers
