"""Queued, and with the broker: who may begin what was dispatched, and what becomes of what nobody begins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime

from django.db import InterfaceError, OperationalError

from cronjobs.conf import get_settings
from cronjobs.database import (
    DatabaseNow,
    database_now_plus,
    engine_alias,
    in_one_statement,
    in_transaction,
    lock_unlocked,
)
from cronjobs.exceptions import AtLimit, ClaimLost, DefinitionNotFound
from cronjobs.language import gettext as _
from cronjobs.models.choices import WaitsFor
from cronjobs.models.execution import ExecutionQuerySet, JobExecution
from cronjobs.models.job import Job
from cronjobs.models.loading import load_each
from cronjobs.models.moves.candidates import Candidates
from cronjobs.models.moves.choosing import Claimed, Room, choose, who_performs
from cronjobs.models.moves.claims import adopt, new_token, start
from cronjobs.models.moves.messages import Message, read_message
from cronjobs.models.worker import CeleryWorker
from cronjobs.registry import registry


def dispatch(
    *,
    limit: int,
    now: datetime,
    queues: Collection[str] | None = None,
    is_apart: bool = False,
    least_room: int = 1,
) -> Claimed:
    """Take up to `limit` due executions that Celery is to perform, within all limits, under one token.

    They stay queued, and count as running where limits are counted. At most DISPATCH_LIMIT of a
    queue are with the broker at once, and while it has room for less than `least_room` more, it is
    passed over. The caller has to hand these to it. `now` and the rest are as for `claim`.
    """
    alias, token = engine_alias(JobExecution), new_token()
    candidates = Candidates(alias, now, queues, is_apart=is_apart, waits_for=WaitsFor.DISPATCH)

    def stamp(rows: list[JobExecution], jobs: Mapping[int, Job], at: datetime) -> list[JobExecution]:
        for each in rows:
            each.waits_for, each.claim_token = WaitsFor.WORKER, token
        if rows:
            waiting = JobExecution.objects.using(alias).waiting().filter(pk__in=[each.pk for each in rows])
            waiting.update(waits_for=WaitsFor.WORKER, claim_token=token, dispatched_at=DatabaseNow())
        return rows

    def look() -> tuple[Candidates, Room]:
        room, afresh = Room(get_settings().dispatch_limit, _dispatched(alias)), candidates.afresh()
        afresh.full_queues |= {queue for queue, number in room.taken.items() if number + least_room > room.limit}
        # What waits in them may be very much.
        afresh.is_apart = afresh.is_apart or bool(afresh.full_queues)
        return afresh, room

    def work() -> Claimed:
        afresh, room = look()
        return choose(afresh, limit, stamp, room=room)

    if least_room > 1:
        # Whoever tops up looks again and again, most often in vain, and then takes no lock.
        seen, _ = look()
        if not seen.is_any:
            return Claimed([], is_more=seen.is_any_full)
    return in_transaction(alias, work)


def begin(
    execution_id: int, token: str, *, node: str, claim_token: str | None = None
) -> tuple[JobExecution, Job | None]:
    """Start what was dispatched under `token`, for a worker named `node`, and return it with its job.

    The token of the message is used up: from here on `claim_token` counts (None: a new one).
    With the same one it can be called again if the reply was lost. Raises `ClaimLost` if
    it was dispatched again, is running, or has ended, and `AtLimit` while its queue or everything
    is paused, or its row or its job's cannot be read; `DefinitionNotFound` if this process cannot
    perform it. Then it waits for its dispatch again, at once if operators have paused it.
    """
    alias, own = engine_alias(JobExecution), claim_token or new_token()

    def work() -> tuple[JobExecution, Job | None]:
        message = _read(alias, execution_id, token) if token else None
        if message is None:
            return _begun_before(execution_id, own)
        row, job = message.execution, message.job
        if reason := message.why_held():
            # What only the settings of this machine say is different where it was dispatched: until it is recalled,
            # they have time to agree.
            if message.is_everything_paused or message.is_queue_paused:
                _take_back(JobExecution.objects.using(alias).dispatched_as([row]))
            raise AtLimit(execution_id, reason)
        if job is not None and job.definition not in registry:
            # As after a deploy that has not reached this machine yet. Until it is recalled, others have time to change.
            raise DefinitionNotFound(job.definition)
        # Nothing is locked: that it is still dispatched under that token is a condition of the UPDATE.
        if not start([row], {} if job is None else {job.pk: job}, node, message.now, own):
            raise ClaimLost(execution_id)
        return row, job

    return in_one_statement(alias, work)


def take_back(executions: Collection[JobExecution]) -> int:
    """Let what was dispatched, and could not be handed to the broker, wait for its dispatch again; return how many."""
    return _take_back(JobExecution.objects.dispatched_as(executions))


def recall(*, limit: int = 500) -> list[int]:
    """Let everything wait for its dispatch again that no worker has begun within DISPATCH_TIMEOUT; return the ids.

    In queues that a living worker serves, or in all if the site has no Celery app any more. Its message may have been lost with the broker, or with the node that was to send it. Should
    it come after all, its token opens nothing any more.
    """
    alias = engine_alias(JobExecution)
    since = database_now_plus(-get_settings().dispatch_timeout)
    late = JobExecution.objects.using(alias).dispatched().filter(dispatched_at__lt=since).order_by("claim_at", "pk")
    if get_settings().celery_app:
        # While nobody takes messages, each further one would only lie on top of the others.
        late = late.filter(queue__in=CeleryWorker.objects.using(alias).queues_served())

    def work() -> list[int]:
        ids = list(lock_unlocked(late.only("pk")).values_list("pk", flat=True)[:limit])
        _take_back(late.filter(pk__in=ids))
        return ids

    return in_transaction(alias, work) if late.exists() else []


def give_to_nodes() -> int:
    """Let nodes claim what waits for its dispatch although its job is theirs by now; return how many that is.

    For where nobody dispatches, and so nobody would ever look at it: the site has no Celery app any more.
    """
    alias = engine_alias(JobExecution)
    rows = JobExecution.objects.using(alias).waiting().filter(waits_for=WaitsFor.DISPATCH).order_by()
    ids = set(rows.values_list("job_id", flat=True).distinct())
    if not ids:
        return 0
    jobs, unreadable = load_each(Job.objects.using(alias).resolvable().filter(pk__in=ids - {None}))
    others = {job.pk for job in jobs if who_performs(job, WaitsFor.DISPATCH) != WaitsFor.NODE} | unreadable.keys()
    return rows.exclude(job_id__in=others).update(waits_for=WaitsFor.NODE)


def _begun_before(execution_id: int, claim_token: str) -> tuple[JobExecution, Job | None]:
    """Return what an earlier call has begun without getting to know it."""
    begun = [each for each in adopt(claim_token) if each[0].pk == execution_id]
    if not begun:
        raise ClaimLost(execution_id)
    return begun[0]


def _read(alias: str, execution_id: int, token: str) -> Message | None:
    try:
        return read_message(alias, execution_id, token)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        # Rows that SQL has broken, or tables that this code is too old for. Once it is recalled, whoever dispatches looks.
        raise AtLimit(execution_id, _("Its row cannot be read: %(what)s.") % {"what": type(error).__name__}) from error


def _take_back(executions: ExecutionQuerySet) -> int:
    return executions.order_by().update(waits_for=WaitsFor.DISPATCH, claim_token="", dispatched_at=None)


def _dispatched(alias: str) -> Counter[str]:
    # In this order, and not grouped by the database: SQLite would read all that waits.
    return Counter(JobExecution.objects.using(alias).dispatched().order_by("claim_at").values_list("queue", flat=True))
