"""Whether somebody performs what is Celery's to perform: living workers, and a broker that can be reached."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import Count, Min

from cronjobs.conf import get_settings
from cronjobs.database import as_utc, engine_alias, read_clock
from cronjobs.exceptions import InvalidSettings
from cronjobs.executors.celery import reach_broker
from cronjobs.executors.celery.outages import why_away
from cronjobs.health._delays import LATE
from cronjobs.health._probes import Probe, count, fail, fine, nothing_there, notice, probe, warn
from cronjobs.models import CeleryWorker, JobExecution, Node
from cronjobs.models.choices import WaitsFor
from cronjobs.models.moves import in_open_queues
from cronjobs.models.waiting import NEXT_TO_BROKER, why_waiting
from cronjobs.models.worker import Crew

_MOST_NAMED = 20


class _Due(NamedTuple):
    """How much of a queue is due and Celery's to perform, and since when the oldest of it is."""

    number: int
    since: datetime


@probe("celery")
def check_celery() -> Probe:
    """See whether workers are alive that serve what is due and Celery's to perform; workers are no nodes."""
    if not get_settings().celery_app:
        return _without_app()
    now = read_clock(engine_alias(JobExecution))
    due = _due(now)
    crew = CeleryWorker.objects.crew()
    served = {queue for each in CeleryWorker.objects.at_work() for queue in each.queue_names}
    away = list(Node.objects.cut_off().order_by("name").defer("memory_trend"))
    unserved = {queue: each for queue, each in due.items() if queue not in served}
    details = {
        "workers": crew.alive,
        "draining": crew.draining,
        "concurrency": crew.concurrency,
        "dispatched": JobExecution.objects.dispatched().count(),
        "unserved": {queue: each.number for queue, each in unserved.items()},
        "brokerAway": {each.name: each.broker_away_because for each in away},
    }
    if late := {queue: each for queue, each in unserved.items() if now - each.since > LATE}:
        return fail(*_unserved_sentences(late), **details)
    if away:
        sentences = [broker_sentence(each, now) for each in away[:_MOST_NAMED]]
        return fail(*sentences, **details) if _is_cut_off(now) else warn(*sentences, **details)
    if (wait := _undispatched_for(now)) > LATE:
        sentence = (
            f"An execution has been due for {wait.total_seconds():.0f} s, and no node has handed it to the broker: "
            "perhaps that is away."
        )
        return warn(sentence, **details)
    return _as_it_should_be(crew, details)


def _without_app() -> Probe:
    number = JobExecution.objects.waiting().filter(waits_for__gt=WaitsFor.NODE).order_by().count()
    if number:
        sentence = (
            f"{count(number, 'execution')} waiting for Celery, and CRONJOBS['CELERY_APP'] names no app any more: "
            "set it, or give the jobs another executor."
        )
        return warn(sentence, waiting=number)
    return nothing_there("CRONJOBS['CELERY_APP'] names no app, so Celery performs nothing here.")


def _as_it_should_be(crew: Crew, details: dict[str, Any]) -> Probe:
    if not crew.alive:
        return notice("No Celery worker is alive, and nothing has been waiting for one for long.", **details)
    are = f"{count(crew.alive, 'Celery worker')} {'is' if crew.alive == 1 else 'are'} alive"
    return fine(f"{are}, {crew.draining} of them draining." if crew.draining else f"{are}.", **details)


@probe("broker")
def check_broker() -> Probe:
    """Connect to the broker of CELERY_APP. It may take seconds until one that is away is given up."""
    if not get_settings().celery_app:
        return nothing_there("CRONJOBS['CELERY_APP'] names no app, so there is no broker.")
    try:
        reach_broker()
    except InvalidSettings as error:
        return fail(str(error))
    except Exception as error:  # noqa: BLE001 - whatever a driver raises, there is no connection
        return fail(why_away(error))
    return fine("The broker can be reached.")


def broker_sentence(node: Node, now: datetime) -> str:
    """Return since when `node` could hand nothing to the broker, and why."""
    span = now - (node.broker_away_since or now)
    seconds = max(0.0, span.total_seconds())
    return f"Node {node.name} could hand nothing to the broker for {seconds:.0f} s. {node.broker_away_because}"


def _is_cut_off(now: datetime) -> bool:
    """Return whether nothing has reached the broker for long: no node that takes work has found it."""
    since = list(Node.objects.at_work().values_list("broker_away_since", flat=True))
    return bool(since) and all(each is not None and now - each > LATE for each in since)


def _due(now: datetime) -> Mapping[str, _Due]:
    rows = in_open_queues(JobExecution.objects.claimable(now)).exclude(waits_for=WaitsFor.NODE).order_by()
    found = rows.values("queue").annotate(number=Count("pk"), since=Min("run_after")).order_by("queue")
    return {each["queue"]: _Due(each["number"], as_utc(each["since"])) for each in found}


def _unserved_sentences(late: Mapping[str, _Due]) -> Iterator[str]:
    for queue, each in list(late.items())[:_MOST_NAMED]:
        yield (
            f"No Celery worker that is alive serves queue {queue}, in which {count(each.number, 'execution')} "
            f"{'is' if each.number == 1 else 'are'} due: {_command(queue)}."
        )


def _command(queue: str) -> str:
    module, _, name = get_settings().celery_app.rpartition(".")
    return f"celery --app {module}:{name} worker --queues {queue}"


def _undispatched_for(now: datetime) -> timedelta:
    """Return for how long the oldest has been due that a node could hand over, and that none does."""
    waiting = in_open_queues(JobExecution.objects.claimable(now).filter(waits_for=WaitsFor.DISPATCH))
    oldest = waiting.order_by("run_after").defer("result", "traceback").first()
    # Why it waits takes several statements to find out; of a short wait it does not matter.
    if oldest is None or now - oldest.run_after <= LATE or why_waiting(oldest, now=now) != NEXT_TO_BROKER:
        return timedelta(0)
    return now - oldest.run_after
