"""The jobs in the guides do what the guides say of them."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest

from cronjobs.exceptions import InvalidParameters
from cronjobs.executors.inline import perform_inline, run_inline
from cronjobs.models import Job, JobExecution
from cronjobs.registry import registry
from cronjobs.scheduler.node import NodeProcess
from tests.documentation import DOCS
from tests.markdown import blocks

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def guide():
    """Declare the jobs of a guide, and return the names that its code makes."""
    before = {each.name for each in registry}

    def read(name):
        Job.objects.update(schedule="")
        names = {"__name__": name}
        for block in blocks((DOCS / "guides" / f"{name}.md").read_text(encoding="utf-8"), "python"):
            exec(compile(block, name, "exec"), names)  # noqa: S102 - our own example
        Job.objects.ensure(each for each in registry if each.name not in before)
        return SimpleNamespace(**names)

    yield read
    for each in [each.name for each in registry if each.name not in before]:
        registry.remove(each)


def test_a_first_job(guide):
    guide("write-a-job")

    assert run_inline("send-digest").result == {"sent": 12}
    late = run_inline("send-digest", params={"days": 8})
    assert (late.status, late.reason) == ("skipped", "too long ago")
    failed = run_inline("import-rates", max_attempts=1)
    assert (failed.status, failed.error_message, failed.result) == ("failed", "no rate for CHF", {"missing": ["CHF"]})


def test_parameters(guide):
    code = guide("parameters")

    assert run_inline("send-digest").result == {"days": 1, "sent": 12}
    assert run_inline("send-digest", params={"dry_run": True}).result == {"days": 1, "sent": 0}
    with pytest.raises(InvalidParameters, match="There is no such parameter"):
        run_inline("send-digest", params={"day": 2})

    code.after_sign_up(SimpleNamespace(pk=7))
    code.after_sign_up(SimpleNamespace(pk=7))
    assert JobExecution.objects.waiting().filter(job_name="send-digest").count() == 7

    assert run_inline("send-checked-digest", params={"days": "2"}).result == {"days": 2}
    with pytest.raises(InvalidParameters):
        run_inline("send-checked-digest", params={"days": 32})


def test_retries(guide):
    guide("retries")

    waiting = run_inline("fetch-prices")
    assert waiting.status == "queued"
    wait = waiting.run_after - waiting.started_at
    assert timedelta(seconds=60) <= wait < timedelta(seconds=75)

    JobExecution.objects.filter(pk=waiting.pk).update(run_after=waiting.started_at)
    waiting.refresh_from_db()
    assert perform_inline(waiting).result == {"attempt": 2}


def test_flows(guide):
    guide("flows")
    JobExecution.objects.request("extract")

    node = NodeProcess(workers=2)
    try:
        node.run_once()
    finally:
        node.stop(grace=timedelta(seconds=10))

    found = dict(JobExecution.objects.values_list("job_name", "status"))
    assert found == {
        "extract": "succeeded",
        "load": "succeeded",
        "check": "succeeded",
        "report": "succeeded",
        "tidy": "skipped",
    }
    assert JobExecution.objects.get(job_name="load").result == {"loaded": 3}


def test_overlap(guide):
    guide("overlap")

    assert Job.objects.named("resize-pictures").resolve().concurrency == 3
    assert run_inline("sync-stock").result == {"done": 1_000}


def test_catching_up(guide):
    guide("catching-up")
    resolved = Job.objects.named("import-hour").resolve()

    assert (resolved.catch_up, resolved.misfire_grace) == ("all", timedelta(hours=24))
    assert "hour" in run_inline("import-hour").result


def test_limits(guide):
    guide("limits")
    limited, rated = (Job.objects.named(each).resolve() for each in ("import-orders", "ask-the-bank"))

    assert (limited.executor, limited.timeout, limited.memory_limit) == ("process", timedelta(minutes=10), 512 * 2**20)
    assert (str(rated.rate_limit), rated.queue) == ("10/m", "bank")
