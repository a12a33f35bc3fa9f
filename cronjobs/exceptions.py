"""What can go wrong, as types that carry the facts and say them in a sentence."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from cronjobs.language import gettext as _
from cronjobs.language import pgettext


class CronJobsError(Exception):
    """Base of every error this app raises on purpose."""


class InvalidSettings(CronJobsError, ImproperlyConfigured):
    """The ``CRONJOBS`` setting holds a key or a value that is not understood."""


class InvalidSchedule(CronJobsError, ValueError):
    """A schedule or a time zone cannot be understood; ``field`` names the part, if one is to blame."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        self.field = field
        super().__init__(message)


class InvalidDefinition(CronJobsError, ValueError):
    """A ``@job`` declaration cannot be used as it stands."""


class InvalidJob(CronJobsError, ValueError):
    """A column of a job holds what no form would have let in."""


class InvalidParameters(CronJobsError, ValueError):
    """Parameters do not fit the job; ``errors`` maps a parameter's name to its messages."""

    def __init__(self, job_name: str, errors: Mapping[str, Sequence[str]]) -> None:
        self.job_name = job_name
        self.errors = {field: list(messages) for field, messages in errors.items()}
        details = "; ".join(f"{field}: {' '.join(texts)}" for field, texts in self.errors.items())
        super().__init__(_("Invalid parameters for %(job)r: %(details)s") % {"job": job_name, "details": details})


class InvalidLimit(CronJobsError, ValueError):
    """A limit, of starts per period or of memory, cannot be understood."""


class InvalidAddress(CronJobsError, ValueError):
    """An address of a server cannot be used. What it says never quotes the address, which may be a secret."""


class InvalidAlert(CronJobsError, ValueError):
    """Of what, whom or when somebody is to be told cannot be understood."""


class InvalidDependency(CronJobsError, ValueError):
    """What a job is to wait for cannot be understood, or can never be."""


class InvalidRequest(CronJobsError, ValueError):
    """What was asked for cannot be meant, or there is nothing that it could be done to."""


class DefinitionNotFound(CronJobsError, LookupError):
    """No function is registered under the given name in this process; `why`, if that is known."""

    def __init__(self, name: str, why: Sequence[str] = ()) -> None:
        self.name, self.why = name, tuple(why)
        sentence = _("No job definition is registered as %(name)r.") % {"name": name}
        super().__init__(" ".join([sentence, *self.why]))


class JobNotFound(CronJobsError, LookupError):
    """No job of the given name exists."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(_("There is no job named %(name)r.") % {"name": name})


class ExecutionNotFound(CronJobsError, LookupError):
    """There is no execution of the given number, or what was given is none."""

    def __init__(self, execution_id: int | str) -> None:
        self.execution_id = execution_id
        super().__init__(_("There is no execution %(id)s.") % {"id": execution_id})


class NotOpen(CronJobsError):
    """An execution that was to be called off has ended already, as `status` says."""

    def __init__(self, execution_id: int, status: str) -> None:
        self.execution_id, self.status = execution_id, status
        facts = {"id": execution_id, "status": _status(status)}
        super().__init__(_("Execution %(id)s has ended already: it is %(status)s.") % facts)


class CannotRetry(CronJobsError):
    """An execution cannot be run again; the sentence says why."""

    def __init__(self, execution_id: int, why: str) -> None:
        self.execution_id = execution_id
        super().__init__(_("Execution %(id)s cannot be run again: %(why)s") % {"id": execution_id, "why": why})


class StillOpen(CannotRetry):
    """It has not ended."""

    def __init__(self, execution_id: int, status: str) -> None:
        super().__init__(execution_id, _("it is still %(status)s. Cancel it first.") % {"status": _status(status)})


class JobGone(CannotRetry):
    """Its job is no longer there."""

    def __init__(self, execution_id: int, job_name: str) -> None:
        self.job_name = job_name
        super().__init__(execution_id, _("its job, %(job)s, is no longer there.") % {"job": job_name})


class JobUnfit(CannotRetry):
    """Its job is broken, or lacks its definition."""

    def __init__(self, execution_id: int, job_name: str, reason: str) -> None:
        self.job_name, self.reason = job_name, reason
        facts = {"job": job_name, "reason": reason}
        super().__init__(execution_id, _("its job, %(job)s, is broken. %(reason)s") % facts)


class ParametersUnfit(CannotRetry):
    """The job does not take its parameters any more; ``errors`` maps a parameter's name to its messages."""

    def __init__(self, execution_id: int, error: InvalidParameters) -> None:
        self.errors = error.errors
        text = _("its job does not take its parameters any more. %(reason)s")
        super().__init__(execution_id, text % {"reason": error})


class QueueNotFound(CronJobsError, LookupError):
    """No job puts its executions into a queue of the given name, and nothing has been decided about it."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(_("There is no queue named %(name)r.") % {"name": name})


class NodeNotFound(CronJobsError, LookupError):
    """No node of the given name is known."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(_("There is no node named %(name)r.") % {"name": name})


class NodeNotAlive(CronJobsError):
    """A node was to be asked for something, and there is nobody to hear it; `what` has become of it says why."""

    def __init__(self, name: str, what: str) -> None:
        self.name, self.what = name, what
        facts = {"node": name, "what": what}
        super().__init__(_("Node %(node)s %(what)s, so nobody is there to be asked.") % facts)


class IllegalMove(CronJobsError):
    """An execution was asked to enter a state that its present one does not lead to."""

    def __init__(self, current: str, target: str) -> None:
        self.current, self.target = current, target
        facts = {"current": _status(current), "target": _status(target)}
        super().__init__(_("An execution that is %(current)s cannot become %(target)s.") % facts)


class ClaimLost(CronJobsError):
    """Another node owns the execution now: whoever gets this must write nothing more about it."""

    def __init__(self, execution_id: int) -> None:
        self.execution_id = execution_id
        super().__init__(_("Execution %(id)s is no longer claimed by this worker.") % {"id": execution_id})


class AtLimit(CronJobsError):
    """An execution may not start yet, for the `reason`: its job or its queue is paused, or does enough already."""

    def __init__(self, execution_id: int, reason: str) -> None:
        self.execution_id, self.reason = execution_id, reason
        super().__init__(_("Execution %(id)s has to wait: %(reason)s") % {"id": execution_id, "reason": reason})


class JobFailed(CronJobsError):
    """Raised by a job that wants to fail and still leave a ``result`` to look at."""

    def __init__(self, message: str, *, result: Any = None) -> None:
        self.result = result
        super().__init__(message)


class Skip(CronJobsError):
    """Raised by a job that has nothing to do now: its execution ends as skipped, with the reason."""

    def __init__(self, reason: str = "") -> None:
        self.reason = reason
        super().__init__(reason or _("The job asked to be skipped."))


class Retry(CronJobsError):
    """Raised by a job that wants another attempt, ``after`` a delay of its own choice if given.

    ``after`` is a ``timedelta`` or a number of seconds. ``max_attempts`` still holds.
    """

    def __init__(self, reason: str = "", *, after: timedelta | float | None = None) -> None:
        self.after = after if after is None or isinstance(after, timedelta) else timedelta(seconds=after)
        super().__init__(reason or _("The job asked to be tried again."))


class TimedOut(CronJobsError):
    """An attempt took longer than the job's `timeout`, and was ended."""

    def __init__(self, timeout: timedelta) -> None:
        self.timeout = timeout
        text = _("The attempt took longer than %(seconds)s s, its timeout, and was ended.")
        super().__init__(text % {"seconds": f"{timeout.total_seconds():g}"})


class MemoryLimitExceeded(CronJobsError):
    """An attempt used more memory than the job may, in bytes over all of its processes, and was ended."""

    def __init__(self, limit: int, used: int) -> None:
        self.limit, self.used = limit, used
        text = _("The attempt used %(used)s of memory; its limit is %(limit)s.")
        super().__init__(text % {"used": _mib(used), "limit": _mib(limit)})


class CpuLimitExceeded(CronJobsError):
    """An attempt used more CPU time than the job may, over all of its processes, and was ended."""

    def __init__(self, limit: timedelta, used: timedelta) -> None:
        self.limit, self.used = limit, used
        text = _("The attempt used %(used)s s of CPU time; its limit is %(limit)s s.")
        super().__init__(text % {"used": f"{used.total_seconds():.1f}", "limit": f"{limit.total_seconds():g}"})


class ProcessDied(CronJobsError):
    """A job's process ended before the job's function had: by a signal, by exiting, or for no reason that is known."""

    def __init__(self, *, signal_number: int | None = None, exit_code: int | None = None) -> None:
        self.signal_number, self.exit_code = signal_number, exit_code
        if signal_number is not None:
            text = _("The job's process was killed by %(signal)s before the job had ended.")
        elif exit_code is not None:
            text = _("The job's process exited with code %(code)s before the job had ended.")
        else:
            text = _("The job's process vanished before the job had ended.")
        super().__init__(text % {"signal": _signal_name(signal_number), "code": exit_code})


class ProcessUnavailable(CronJobsError):
    """A process for the job could not be made; `reason` says why."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(_("The job's process could not be started: %(reason)s.") % {"reason": reason})


class Terminated(BaseException):
    """Raised in a job's process when it is asked to end (SIGTERM), so that its ``finally`` blocks run.

    Like `KeyboardInterrupt` it passes ``except Exception``.
    """

    def __init__(self) -> None:
        # In a handler of signals, which may interrupt the very code that translates.
        super().__init__("The job's process was asked to end (SIGTERM).")


def _mib(size: int) -> str:
    return f"{size / 2**20:.0f} MiB"


def _signal_name(number: int | None) -> str:
    if number is None:
        return ""
    try:
        return signal.Signals(number).name
    except ValueError:
        return _("signal %(number)d") % {"number": number}


def _status(status: str) -> str:
    """Return a status as a sentence has it; in English that is the word that programs read."""
    return {
        "queued": pgettext("it is", "queued"),
        "running": pgettext("it is", "running"),
        "succeeded": pgettext("it is", "succeeded"),
        "failed": pgettext("it is", "failed"),
        "timed_out": pgettext("it is", "timed_out"),
        "cancelled": pgettext("it is", "cancelled"),
        "lost": pgettext("it is", "lost"),
        "skipped": pgettext("it is", "skipped"),
        "missed": pgettext("it is", "missed"),
    }.get(status, status)


class MongoUnavailable(CronJobsError, ConnectionError):
    """MongoDB cannot be reached, or cannot work just now; another attempt may succeed.

    ``hosts`` names the servers without user and password, ``reason`` is the driver's.
    """

    def __init__(self, hosts: str, reason: str) -> None:
        self.hosts, self.reason = hosts, reason
        facts = {"hosts": hosts, "reason": reason}
        super().__init__(_("MongoDB at %(hosts)s is not available: %(reason)s") % facts)

    def __reduce__(self) -> tuple[type[MongoUnavailable], tuple[str, str]]:
        # The default would pass the finished message on, as the first of two arguments.
        return type(self), (self.hosts, self.reason)


class SendingFailed(CronJobsError):
    """A message was not taken, or nobody knows whether it was: then it `may_have_arrived`."""

    def __init__(self, what: str, *, may_have_arrived: bool = False) -> None:
        self.may_have_arrived = may_have_arrived
        super().__init__(what)


class NotInstalled(CronJobsError):
    """What was asked for needs what the site has not installed; the message says what."""
