"""What a message says: one value with all facts, and the text, the HTML and the JSON that are made of them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Self

from django.template.loader import render_to_string
from django.urls import NoReverseMatch, reverse

from cronjobs.alerts import AlertKind
from cronjobs.language import gettext as _
from cronjobs.language import gettext_noop
from cronjobs.models import Alert
from cronjobs.storable import rfc3339, storable_text

TEST = "test"
SUBJECT_MAX_LENGTH = 150

# Any UUID does, as long as it stays.
_NAMESPACE = uuid.UUID("6f3c4a52-4c0b-4a3e-9f0e-5f1f6a2f7c11")
# What each kind says when it begins and, where that is told, when it is over.
_TITLES: Mapping[str, tuple[str, str]] = {
    AlertKind.FAILING: (gettext_noop("Job {} is failing"), gettext_noop("Job {} has recovered")),
    AlertKind.MISSED: (gettext_noop("Job {} has missed due times"), gettext_noop("Job {} misses nothing any more")),
    AlertKind.LATE: (gettext_noop("Job {} is late"), gettext_noop("Job {} is no longer late")),
    AlertKind.OVERRUNNING: (
        gettext_noop("Job {} takes longer than expected"),
        gettext_noop("Job {} no longer takes longer than expected"),
    ),
    AlertKind.NO_SUCCESS: (
        gettext_noop("Job {} has not succeeded for too long"),
        gettext_noop("Job {} has succeeded again"),
    ),
    AlertKind.LOST: (gettext_noop("Job {} has lost an execution"), gettext_noop("Job {} loses nothing any more")),
    AlertKind.NODE_GONE: (gettext_noop("Node {} is gone"), gettext_noop("Node {} is back")),
    AlertKind.WORKER_GONE: (gettext_noop("Celery worker {} is gone"), gettext_noop("Celery worker {} is back")),
    AlertKind.QUEUE_STUCK: (gettext_noop("Queue {} is stuck"), gettext_noop("Queue {} moves again")),
    AlertKind.MONGODB_UNREACHABLE: (
        gettext_noop("MongoDB cannot be reached"),
        gettext_noop("MongoDB can be reached again"),
    ),
    TEST: (gettext_noop("A test of the notifier {}"), ""),
}
_NO_TITLE = (gettext_noop("{}: something is wrong"), gettext_noop("{}: it is over"))


class LogLine(NamedTuple):
    """A line of an execution's log; `time` is aware."""

    time: datetime | None
    level: str
    message: str


class Fact(NamedTuple):
    """One line of the table in a message; `link`: an address, or empty."""

    label: str
    text: str
    link: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Pages of the admin; empty where there is none, or no BASE_URL."""

    execution: str = ""
    job: str = ""

    @classmethod
    def of(cls, base_url: str, *, execution_id: int | None, job_id: int | None) -> Self:
        """Return the addresses below `base_url` of the pages of these two; None: there is no such row."""
        return cls(
            execution=_page(base_url, "cronjobs_jobexecution_change", execution_id),
            job=_page(base_url, "cronjobs_job_change", job_id),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What a notifier is to tell people. All times are aware; texts come masked, and may hold anything else.

    `message_id` is the same each time one alert is sent through one notifier, and no other's.
    `subject` is the name of a job, a node or a queue, or empty. With `is_repeat` it may have
    arrived before. `alert_id` is None for a test.
    """

    message_id: str
    kind: str
    created_at: datetime
    subject: str = ""
    is_resolution: bool = False
    is_repeat: bool = False
    alert_id: int | None = None
    job_name: str = ""
    execution_id: int | None = None
    description: str = ""
    details: str = ""
    error_type: str = ""
    error_message: str = ""
    log_lines: Sequence[LogLine] = ()
    attempt: int | None = None
    max_attempts: int | None = None
    node: str = ""
    due_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    duration: timedelta | None = None
    owner: str = ""
    runbook_url: str = ""
    links: Links = Links()

    @classmethod
    def of(cls, alert: Alert, *, notifier: str, is_repeat: bool, links: Links = Links()) -> Self:
        """Return what `notifier` is to say of `alert`, whose `facts` may lack any fact."""
        facts = alert.facts if isinstance(alert.facts, Mapping) else {}
        return cls(
            message_id=_identity(alert, notifier),
            kind=alert.kind,
            created_at=alert.created_at,
            subject=alert.subject,
            is_resolution=alert.is_resolution,
            is_repeat=is_repeat,
            alert_id=alert.pk,
            job_name=alert.job_name,
            execution_id=alert.execution_id,
            links=links,
            **_read(facts),
        )

    @classmethod
    def test(cls, *, notifier: str, now: datetime) -> Self:
        """Return a message that only shows that `notifier` works."""
        return cls(
            message_id=uuid.uuid4().hex,
            kind=TEST,
            created_at=now,
            subject=notifier,
            details=_("Somebody wants to see whether messages arrive. Nothing is wrong."),
        )

    @property
    def is_test(self) -> bool:
        """Whether nothing has happened, and somebody only wants to see whether messages arrive."""
        return self.kind == TEST

    @property
    def title(self) -> str:
        """What has happened, in one line without its end."""
        begun, over = _TITLES.get(self.kind, _NO_TITLE)
        return header_text(_(over if self.is_resolution else begun).format(self.subject))

    @property
    def subject_line(self) -> str:
        """The title as the subject of a letter: one line, cut."""
        return self.title if len(self.title) <= SUBJECT_MAX_LENGTH else f"{self.title[: SUBJECT_MAX_LENGTH - 1]}…"

    @property
    def facts(self) -> list[Fact]:
        """Return what is known beside error and log, in the order in which it is shown."""
        number = "" if self.execution_id is None else str(self.execution_id)
        facts = (
            Fact(_("Job"), self.job_name, self.links.job),
            Fact(_("Execution"), number, self.links.execution),
            Fact(_("Attempt"), _attempt(self.attempt, self.max_attempts)),
            Fact(_("Node"), self.node),
            Fact(_("Due"), _shown(self.due_at)),
            Fact(_("Started"), _shown(self.started_at)),
            Fact(_("Ended"), _shown(self.finished_at)),
            Fact(_("Took"), _taken(self.duration)),
            Fact(_("Owner"), self.owner),
            Fact(_("Runbook"), self.runbook_url, self.runbook_url if _is_link(self.runbook_url) else ""),
            Fact(_("Noticed"), _shown(self.created_at)),
        )
        return [each for each in facts if each.text]

    @property
    def error(self) -> str:
        """The error in one text: its type and what it says."""
        return ": ".join(filter(None, (self.error_type, self.error_message)))

    @property
    def log(self) -> str:
        """The last log lines as one text."""
        return "\n".join(
            " ".join(filter(None, (_clock(each.time), each.level, each.message))) for each in self.log_lines
        )

    def as_text(self) -> str:
        """Return the message as plain text."""
        # Half of a surrogate pair, or a NUL, cannot be sent.
        return storable_text(render_to_string("cronjobs/mail/alert.txt", {"message": self})).strip() + "\n"

    def as_html(self) -> str:
        """Return the message as an HTML document, in which all that it tells is escaped."""
        return storable_text(render_to_string("cronjobs/mail/alert.html", {"message": self}))

    def as_json(self) -> dict[str, Any]:
        """Return the message as the body of a webhook."""
        what = TEST if self.is_test else "over" if self.is_resolution else "firing"
        return {"type": f"alert.{what}", "timestamp": rfc3339(self.created_at), "data": self._data()}

    def _data(self) -> dict[str, Any]:
        return {
            "id": self.alert_id,
            "kind": self.kind,
            "isOver": self.is_resolution,
            "isRepeat": self.is_repeat,
            "title": self.title,
            "subject": self.subject,
            "details": self.details,
            "jobName": self.job_name or None,
            "executionId": self.execution_id,
            "description": self.description,
            "error": {"type": self.error_type, "message": self.error_message} if self.error else None,
            "logLines": [
                {"time": _json_time(each.time), "level": each.level, "message": each.message} for each in self.log_lines
            ],
            "attempt": self.attempt,
            "maxAttempts": self.max_attempts,
            "node": self.node or None,
            "dueAt": _json_time(self.due_at),
            "startedAt": _json_time(self.started_at),
            "finishedAt": _json_time(self.finished_at),
            "durationMs": None if self.duration is None else round(self.duration / timedelta(milliseconds=1)),
            "owner": self.owner,
            "runbookUrl": self.runbook_url or None,
            "links": {"execution": self.links.execution or None, "job": self.links.job or None},
        }


_TEXTS = ("description", "details", "error_type", "error_message", "node", "owner", "runbook_url")
_NUMBERS = ("attempt", "max_attempts")
_MOMENTS = ("due_at", "started_at", "finished_at")


def _read(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a message that an alert's facts say; what is missing, or no such value, is left out."""
    return {
        "log_lines": _log_lines(facts.get("log_lines")),
        "duration": _duration(facts.get("duration_ms")),
        **{key: _text(facts.get(key)) for key in _TEXTS},
        **{key: _number(facts.get(key)) for key in _NUMBERS},
        **{key: _moment(facts.get(key)) for key in _MOMENTS},
    }


def header_text(text: str) -> str:
    """Return `text` with a space for each run of spaces, line ends and control characters: it may end in a header."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


def _identity(alert: Alert, notifier: str) -> str:
    # With the time, since other sites have alerts of the same number, and may write to the same people.
    seed = f"{alert.pk} {alert.created_at.isoformat()} {alert.kind} {alert.subject} {notifier}"
    return uuid.uuid5(_NAMESPACE, seed).hex


def _page(base_url: str, name: str, pk: int | None) -> str:
    if not base_url or pk is None:
        return ""
    try:
        return base_url.rstrip("/") + reverse(f"admin:{name}", args=[pk])
    except NoReverseMatch:
        # The site has no admin.
        return ""


def _text(value: Any) -> str:
    return "" if value is None else storable_text(value)


def _number(value: Any) -> int | None:
    return value if type(value) is int else None


def _duration(value: Any) -> timedelta | None:
    try:
        return None if value is None else timedelta(milliseconds=value)
    except (TypeError, ValueError, OverflowError):
        return None


def _moment(value: Any) -> datetime | None:
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (TypeError, ValueError, OverflowError):
        return None


def _log_lines(value: Any) -> tuple[LogLine, ...]:
    lines = [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []
    return tuple(
        LogLine(_moment(each.get("time")), _text(each.get("level")), _text(each.get("message"))) for each in lines
    )


def _attempt(attempt: int | None, most: int | None) -> str:
    # What never started, as what was missed, has none.
    if not attempt:
        return ""
    return _("%(number)d of %(most)d") % {"number": attempt, "most": most} if most else str(attempt)


def _is_link(text: str) -> bool:
    return text.lower().startswith(("http://", "https://"))


def _shown(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _taken(duration: timedelta | None) -> str:
    """Return how long something took; most of what fails does so in no time at all."""
    if duration is None:
        return ""
    seconds = duration.total_seconds()
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def _clock(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment.astimezone(UTC):%H:%M:%S}"


def _json_time(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)
