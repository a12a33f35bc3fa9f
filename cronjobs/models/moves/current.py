"""The jobs that a node decides on: read again only where a row has changed since."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any

from django.db.models import QuerySet

from cronjobs.models.asking import RowText, ask_about, is_asked_about
from cronjobs.models.execution import JobExecution
from cronjobs.models.instances import columns_of
from cronjobs.models.job import Job
from cronjobs.models.loading import load_each

# Of more than these the oldest are forgotten: each takes some 6 kB.
_MOST = 2_000
_CALENDAR = ("calendar__name", "calendar__dates")

# By database and primary key: the text of the row that a job was made of, and the job. Nobody writes to these.
_known: dict[tuple[str, int], tuple[str | bytes, Job]] = {}
_lock = threading.Lock()


def jobs_of(candidates: Sequence[JobExecution], alias: str) -> tuple[dict[int, Job], dict[int, Exception]]:
    """Return the candidates' jobs, and those that cannot be read: what waits for them waits until they are mended."""
    return current_jobs({each.job_id for each in candidates if each.job_id}, alias)


def current_jobs(keys: Collection[int], alias: str) -> tuple[dict[int, Job], dict[int, Exception]]:
    """Return the jobs with these primary keys, and why others cannot be read.

    They keep what they resolve to, and are shared: they are not to be changed.
    """
    ids = sorted(keys)
    if not ids:
        return {}, {}
    known = {pk: each for pk in ids if (each := _known.get((alias, pk)))}
    texts = _texts(alias, known) if known else {}
    jobs = {pk: job for pk, (text, job) in known.items() if text == texts.get(pk)}
    changed = [pk for pk in ids if pk not in jobs]
    if not changed:
        return jobs, {}
    loaded, unreadable = load_each(_with_text(Job.objects.using(alias).resolvable().filter(pk__in=changed)))
    for job in loaded:
        job.keep_resolved()
        _remember(alias, job)
    return jobs | {job.pk: job for job in loaded}, unreadable


def _remember(alias: str, job: Job) -> None:
    # Without a text: its row was read apart from others, or is too long for one.
    text = getattr(job, "text", None)
    if text is None:
        return
    with _lock:
        _known.pop((alias, job.pk), None)
        _known[alias, job.pk] = (text, job)
        if len(_known) > _MOST:
            del _known[next(iter(_known))]


def _with_text(jobs: QuerySet[Job]) -> QuerySet[Any]:
    return jobs.annotate(text=RowText(*columns_of(Job), *_CALENDAR))


def _texts(alias: str, ids: Collection[int]) -> Mapping[int, str | bytes | None]:
    """Return the texts of the rows, by primary key."""
    return dict(ask_about(_texts_query, alias, ids))


@lru_cache(maxsize=16)
def _texts_query(places: int) -> Callable[[str], QuerySet[Any]]:
    def make(alias: str) -> QuerySet[Any]:
        jobs = Job.objects.using(alias).filter(is_asked_about("pk", places))
        return _with_text(jobs).order_by().values_list("pk", "text")

    return make
