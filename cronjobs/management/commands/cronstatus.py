"""`manage.py cronstatus`: what is scheduled, what happened last, and who is there to do it."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db.models import OuterRef, QuerySet, Subquery

from cronjobs.database import engine_alias, read_clock
from cronjobs.dependencies import describe_dependencies
from cronjobs.health import (
    Probe,
    Status,
    broker_sentence,
    check_celery,
    check_mongodb,
    check_node,
    check_queue,
    check_scheduling,
    stuck_sentence,
)
from cronjobs.management.arguments import add_examples, as_json
from cronjobs.management.colours import status_paint
from cronjobs.management.limiting import at_most, timeout
from cronjobs.management.nodes import NODE_HEADER, health_document, node_row
from cronjobs.management.output import (
    Painted,
    database_errors_explained,
    distance,
    from_now,
    in_seconds,
    table,
    terminal_width,
)
from cronjobs.management.queues import limits
from cronjobs.management.running import running_document, running_row
from cronjobs.management.shell import ShellCommand
from cronjobs.management.workers import WORKER_HEADER, celery_line, living_workers, worker_row
from cronjobs.manager.status import node_document, status_document, worker_document
from cronjobs.models import Job, JobExecution, Node
from cronjobs.models.choices import NodeStatus
from cronjobs.models.graph import effective_dependencies
from cronjobs.models.loading import load_jobs
from cronjobs.models.pausing import why_everything_is_paused
from cronjobs.scheduler.agenda import next_run_times
from cronjobs.states import FINAL, ExecutionStatus
from cronjobs.storable import rfc3339

_MOST_RUNNING = 100
_THERE = (NodeStatus.ALIVE, NodeStatus.DRAINING)
# More rows than this push the rest off the screen.
_MOST_ROWS = 20

EXAMPLES = """\
examples:
  manage.py cronstatus
  manage.py cronstatus --json
  manage.py cronstatus --fail-if-unhealthy               for a monitor of the whole installation
  manage.py cronstatus --fail-if-unhealthy --this-host   for the probe of a container or a machine
  watch manage.py cronstatus

The number of an execution (#4711) is what cronlog, croncancel and cronretry take; cronlog shows
its log and traceback. Times are distances from the database's present; --json has them in full. It
has all that the API's GET status answers, and beside it lastEnded (of a job), rssBytes (of a
node), queue, workers (of Celery), health, and runningExecutions (the newest hundred).

Unhealthy is, of the whole installation: no node is alive that takes work; none has ticked lately; a
thread of one that is alive is stuck (CRONJOBS["STUCK_AFTER"]); a due time has not been decided for a
minute; nobody serves a queue in which something has been waiting for Celery for a minute; no node that
takes work has reached Celery's broker for a minute; or MongoDB is configured and cannot be used. Of a host or a node: none of it is alive; or one
that is alive is stuck, or takes work and has not ticked lately. What is paused, draining or overrunning
is not unhealthy. Each finding is a line on standard error. With --this-host or --node only nodes are
shown, and only they count.

exit codes:
  0  shown
  1  the SQL database cannot be used, or did not answer within --timeout; or, with
     --fail-if-unhealthy, something is unhealthy
  2  the arguments are wrong
"""
# Seconds; a monitor that waits for longer has usually given up.
_TIMEOUT = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class JobState:
    """A job, when it is due next, its newest execution that has ended, and the newest that runs now."""

    job: Job
    next_run: datetime | None
    last: JobExecution | None
    running: JobExecution | None
    is_everything_paused: bool

    @property
    def schedule(self) -> str:
        """The effective schedule as text, or what the job runs after."""
        after = describe_dependencies(effective_dependencies(self.job))
        return self.job.schedule_text() or (f"after {after}" if after else "on demand")

    def condition(self, now: datetime) -> str:
        """Return why the job does not run by itself, in a word; empty if it does."""
        if not self.job.enabled:
            return "disabled"
        if self.job.why_broken():
            return "broken"
        return "paused" if self.is_everything_paused or self.job.is_paused_at(now) else ""

    def is_overrunning(self, now: datetime) -> bool:
        """Return whether the newest execution that runs takes longer than it may."""
        return self.running is not None and self.running.is_overrunning(now)


class Command(ShellCommand):
    """Three tables, or one JSON document."""

    # Supervisors call it often: checking would import every view of the project, and croncheck does that.
    requires_system_checks = ()

    help = "Show the jobs with their next run and last outcome, the nodes, and the queue."

    def add_arguments(self, parser: CommandParser) -> None:
        add_examples(parser, EXAMPLES)
        parser.add_argument(
            "--fail-if-unhealthy",
            action="store_true",
            help="Exit with 1 if nothing is scheduled, a node is stuck, or MongoDB is away; see below.",
        )
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--node", metavar="NAME", help="Show, and judge, this node only.")
        which.add_argument("--this-host", action="store_true", help="Show, and judge, the nodes of this host only.")
        parser.add_argument(
            "--timeout",
            type=timeout,
            default=_TIMEOUT,
            metavar="SECONDS",
            help=f"Give up with exit code 1 if the database takes longer (default: {_TIMEOUT:g}).",
        )
        parser.add_argument("--json", action="store_true", help="Print everything as JSON.")

    def handle(
        self, *, fail_if_unhealthy: bool, node: str | None, this_host: bool, timeout: float, json: bool, **_: Any
    ) -> None:
        with at_most(timeout, complaint=f"The database did not answer within {timeout:g} s."):
            if this_host:
                host = socket.gethostname()
                health = self._nodes_only({"hostname": host[:100]}, f"A node on host {host}", json=json)
            elif node is not None:
                health = self._nodes_only({"name": node}, f"Node {node}", json=json)
            else:
                health = self._everything(with_mongodb=fail_if_unhealthy, json=json)
        unhealthy = [problem for each in health if not each.is_healthy for problem in each.problems]
        if fail_if_unhealthy and unhealthy:
            raise CommandError("\n".join(unhealthy))

    def _nodes_only(self, where: Mapping[str, str], called: str, *, json: bool) -> list[Probe]:
        """Show the living nodes with these columns, and return what is to be judged."""
        with database_errors_explained():
            now = read_clock(engine_alias(JobExecution))
            nodes: list[Any] = list(Node.objects.with_state().filter(**where).defer("memory_trend").order_by("name"))
            found = check_node(where, called=called)
        alive = [each for each in nodes if each.state in _THERE]
        if json:
            documents = [node_document(each) for each in alive]
            self.stdout.write(as_json({"nodes": documents, "health": health_document([found])}))
        elif alive:
            self._show_nodes(now, alive)
        else:
            self.stdout.write(self.style.WARNING(found.message))
        return [found]

    def _everything(self, *, with_mongodb: bool, json: bool) -> list[Probe]:
        """Show all there is, and return what is to be judged."""
        with database_errors_explained():
            now = read_clock(engine_alias(JobExecution))
            paused = why_everything_is_paused()
            jobs, nodes = (
                list(_job_states(is_everything_paused=bool(paused))),
                list(Node.objects.alive().defer("memory_trend").order_by("name")),
            )
            # MongoDB takes its time, whether it is there or not: for those only who ask.
            celery = check_celery()
            health = [*check_scheduling(), celery, *([check_mongodb()] if with_mongodb else [])]
            queue, running, workers = check_queue(), list(_running()), living_workers()
        if json:
            told = {"workers": [worker_document(each) for each in workers], "health": health_document(health)}
            document = {**_document(jobs, nodes, queue), **told}
            self.stdout.write(as_json({**document, "runningExecutions": running_document(running, now)}))
        else:
            self._show(now, jobs, nodes, queue, paused)
            self._show_workers(now, workers, celery)
            self._show_running(now, running)
        return health

    def _show(self, now: datetime, jobs: Sequence[JobState], nodes: Sequence[Node], queue: Probe, paused: str) -> None:
        width = terminal_width()
        self._table(("JOB", "SCHEDULE", "NEXT RUN", "LAST RUN"), [self._job_row(each, now) for each in jobs], width)
        self.stdout.write("")
        if nodes:
            self._show_nodes(now, nodes)
        else:
            self.stdout.write(self.style.WARNING("No node is alive: nothing runs until runcron is started."))
        if nodes and all(each.drain_requested_at is not None for each in nodes):
            sentence = "Every node that is alive is draining: nothing new runs until another runcron is started."
            self.stdout.write(self.style.WARNING(sentence))
        if paused:
            self.stdout.write(self.style.WARNING(paused))
        self.stdout.write(f"\nQueue: {queue.message}")
        for line in limits():
            self.stdout.write(f"  {line}")

    def _job_row(self, state: JobState, now: datetime) -> tuple[str, ...]:
        due, latest, last = _due(state, now), _latest(state, now), state.last
        if condition := state.condition(now):
            due = Painted(due, self.style.ERROR if condition == "broken" else self.style.WARNING)
        if state.is_overrunning(now):
            latest = Painted(latest, self.style.WARNING)
        elif last is not None and last.finished_at is not None:
            latest = Painted(latest, status_paint(self.style, last.status))
        return state.job.name, state.schedule, due, latest

    def _show_nodes(self, now: datetime, nodes: Sequence[Node]) -> None:
        self._table(NODE_HEADER, [node_row(each, now) for each in nodes], terminal_width())
        for each in nodes:
            if each.stuck_threads:
                self.stdout.write(self.style.WARNING(stuck_sentence(each)))
            if each.broker_away_since is not None:
                self.stdout.write(self.style.WARNING(broker_sentence(each, now)))

    def _show_workers(self, now: datetime, workers: Sequence[Any], celery: Probe) -> None:
        if celery.status == Status.NOT_CONFIGURED:
            return
        self.stdout.write("")
        if workers:
            self._table(WORKER_HEADER, [worker_row(each, now) for each in workers], terminal_width())
        line = celery_line(celery)
        self.stdout.write(line if celery.status == Status.OK else self.style.WARNING(line))

    def _show_running(self, now: datetime, running: Sequence[JobExecution]) -> None:
        if running:
            self.stdout.write("")
            rows = [running_row(each, now) for each in running[:_MOST_ROWS]]
            self._table(("RUNNING", "FOR", "PROGRESS", "LEFT"), rows, terminal_width())
        if len(running) > _MOST_ROWS:
            self.stdout.write(f"… and {len(running) - _MOST_ROWS} more")

    def _table(self, header: Sequence[str], rows: Sequence[Sequence[str]], width: int | None) -> None:
        first, *others = table(header, rows, width=width)
        self.stdout.write(self.style.MIGRATE_HEADING(first))
        for line in others:
            self.stdout.write(line)


def _running() -> QuerySet[JobExecution]:
    return JobExecution.objects.running().defer("params", "result", "traceback").order_by("-id")[:_MOST_RUNNING]


def _job_states(*, is_everything_paused: bool) -> list[JobState]:
    ended = JobExecution.objects.filter(job=OuterRef("pk"), status__in=FINAL).order_by("-id").values("pk")[:1]
    newest = Job.objects.order_by().annotate(newest=Subquery(ended)).values("newest")
    last = {each.job_id: each for each in JobExecution.objects.filter(pk__in=newest).defer("params", "traceback")}
    due, running = next_run_times(), _running_by_job()
    return [
        JobState(
            job=job,
            next_run=due.get(job.pk),
            last=last.get(job.pk),
            running=running.get(job.pk),
            is_everything_paused=is_everything_paused,
        )
        for job in load_jobs(Job.objects.resolvable())
    ]


def _running_by_job() -> dict[int | None, JobExecution]:
    """Return the newest execution of each job that runs now."""
    rows = JobExecution.objects.running().by_due_time()
    return {each.job_id: each for each in rows.only("job_id", "status", "started_at", "deadline_at")}


def _due(state: JobState, now: datetime) -> str:
    condition, due = state.condition(now), state.next_run
    if due is None:
        return condition or "-"
    overdue = "due " if due < now else ""
    return f"{overdue}{from_now(due, now)}{f' ({condition})' if condition else ''}"


def _latest(state: JobState, now: datetime) -> str:
    running, is_overrunning = state.running, state.is_overrunning(now)
    if not is_overrunning and state.last is not None and state.last.finished_at is not None:
        return _outcome(state.last, state.last.finished_at, now)
    if running is None or running.started_at is None:
        return "never"
    overrunning = ", longer than its timeout" if is_overrunning else ""
    return f"running for {distance(now - running.started_at)}{overrunning}"


def _outcome(last: JobExecution, finished_at: datetime, now: datetime) -> str:
    took = "" if last.duration_ms is None else f", took {in_seconds(last.duration_ms)}"
    why = _who_cancelled(last) or last.error_message or last.reason
    return f"#{last.pk} {last.status} {from_now(finished_at, now)}{took}{': ' if why else ''}{why}"


def _who_cancelled(last: JobExecution) -> str:
    """Return who wanted it to end, and why: it explains more than the signal that ended the process."""
    if last.status != ExecutionStatus.CANCELLED or not last.cancel_requested_by:
        return ""
    return f"by {last.cancel_requested_by}{', because: ' if last.cancel_reason else ''}{last.cancel_reason}"


def _document(jobs: Sequence[JobState], nodes: Sequence[Node], queue: Probe) -> dict[str, Any]:
    """Return what the API answers, and beside it what only somebody on the machine asks for."""
    document = status_document()
    ended = {each.job.name: each.last for each in jobs}
    memory = {each.name: each.rss_bytes for each in nodes}
    for name, shown in document["cronJobs"].items():
        last = ended.get(name)
        shown["lastEnded"] = None if last is None else _execution_document(last)
    for shown in document["nodes"]:
        shown["rssBytes"] = memory.get(shown["name"])
    return {**document, "queue": queue.details}


def _execution_document(execution: JobExecution) -> dict[str, Any]:
    return {
        "executionId": execution.pk,
        "status": str(execution.status),
        "trigger": str(execution.trigger),
        "scheduledFor": _time(execution.scheduled_for),
        "finishedAt": _time(execution.finished_at),
        "durationMs": execution.duration_ms,
        "error": execution.error_message or None,
        "reason": execution.reason or None,
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)
