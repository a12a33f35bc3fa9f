"""Whether anybody performs what is Celery's to perform, and whether the broker answers."""

from __future__ import annotations

import json
import os
import socket
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from cronjobs import health
from cronjobs.database import database_now_plus
from cronjobs.models import JobExecution, Queue
from tests.commands import run_command
from tests.integration.celery_shown.conftest import dispatched

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("node")]


BROKERS = {"redis": "redis://127.0.0.1:6379/12", "rabbitmq": "amqp://guest:guest@127.0.0.1:5672//"}


def broker(kind: str) -> str:
    """Return the URL of a broker; without one, the test is skipped, but not where it should be there."""
    url = os.environ.get(f"TEST_{kind.upper()}_URL") or BROKERS[kind]
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 0), timeout=3).close()
    except OSError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"{kind} is not there: {error}")
    return url


def due_for(minutes: float) -> None:
    JobExecution.objects.update(run_after=database_now_plus(-timedelta(minutes=minutes)))


def test_where_celery_is_not_configured_there_is_nothing_to_look_at():
    found = health.check_celery()

    assert (found.status, found.is_healthy) == ("not_configured", True)


def test_what_waits_for_celery_where_there_is_none_any_more_is_warned_of(settings, with_celery, make_job):
    make_job("noop")
    JobExecution.objects.request("noop")
    settings.CRONJOBS = {}

    found = health.check_celery()

    assert found.status == "warning"
    assert found.message.startswith("1 execution waiting for Celery, and ")


@pytest.mark.usefixtures("with_celery")
class TestWithCelery:
    """With an app that performs every job."""

    @pytest.fixture(autouse=True)
    def _jobs(self, make_job):
        make_job("noop", overlap="allow")
        make_job("succeeds", overlap="allow", queue="heavy")

    def test_living_workers_are_fine(self, make_worker):
        make_worker("a")
        make_worker("b", draining=True)
        make_worker("c", silent_for=timedelta(minutes=5))

        found = health.check_celery()

        assert (found.status, found.message) == ("ok", "2 Celery workers are alive, 1 of them draining.")
        assert (found.details["workers"], found.details["concurrency"]) == (2, 4)
        # Workers are no nodes.
        assert health.check_nodes().details["alive"] == 1

    def test_no_worker_is_a_notice_while_nothing_waits(self):
        JobExecution.objects.request("noop")

        found = health.check_celery()

        assert (found.status, found.details["unserved"]) == ("notice", {"default": 1})

    @pytest.mark.parametrize("is_dispatched", [False, True])
    def test_a_queue_that_nobody_serves_is_unhealthy_once_it_has_been_due_for_a_minute(
        self, make_worker, is_dispatched
    ):
        make_worker("a", "default")
        for _ in range(2):
            JobExecution.objects.request("succeeds")
        JobExecution.objects.request("noop")
        if is_dispatched:
            dispatched()
        due_for(2)

        found = health.check_celery()

        assert found.status == "failed"
        (problem,) = found.problems
        assert problem.startswith("No Celery worker that is alive serves queue heavy, in which 2 executions are due")
        assert found.details["unserved"] == {"heavy": 2}

        Queue.objects.update_or_create(name="heavy", defaults={"paused": True})
        assert health.check_celery().is_healthy

    def test_what_no_node_hands_over_points_to_the_broker(self, make_worker):
        make_worker("a")
        JobExecution.objects.request("noop")
        due_for(2)

        found = health.check_celery()

        assert found.status == "warning"
        assert "no node has handed it to the broker" in found.message

        dispatched()
        assert health.check_celery().status == "ok"

    def test_cronstatus_judges_it(self):
        JobExecution.objects.request("noop")
        due_for(2)

        found = run_command("cronstatus", "--fail-if-unhealthy")

        assert found.code == 1
        assert "No Celery worker that is alive serves queue default" in found.err


@pytest.fixture
def use_broker(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let CRONJOBS name an app with that broker."""
    for name in ("CELERY_BROKER_URL", "CELERY_BROKER_WRITE_URL"):
        monkeypatch.delenv(name, raising=False)

    def use(url: str) -> None:
        text = f"from celery import Celery\napp = Celery('a', broker={url!r}, set_as_current=False)\n"
        (tmp_path / "asked_celery.py").write_text(text + "app.autodiscover_tasks(['cronjobs'])\n")
        monkeypatch.syspath_prepend(tmp_path)
        settings.CRONJOBS = {"CELERY_APP": "asked_celery.app"}

    yield use
    sys.modules.pop("asked_celery", None)


@pytest.mark.celery
@pytest.mark.parametrize("kind", BROKERS)
def test_croncheck_reaches_the_broker(use_broker, kind):
    use_broker(broker(kind))

    out, _, code = run_command("croncheck")

    assert "ok      broker        The broker can be reached.\n" in out
    assert code == 0


@pytest.mark.parametrize(
    ("url", "error"),
    [
        pytest.param("redis://:hunter2@127.0.0.1:1/0", "it refuses connections", id="redis"),
        pytest.param("amqp://ann:hunter2@127.0.0.1:1//", "it refuses connections", id="rabbitmq"),
    ],
)
def test_croncheck_says_that_the_broker_is_away_without_its_password(use_broker, url, error):
    use_broker(url)

    out, err, code = run_command("croncheck")

    assert (code, err) == (1, "CommandError: 1 problem in broker.\n")
    assert f"PROBLEM broker        The broker cannot be reached: {error}.\n" in out
    assert "hunter2" not in out + err
    told = run_command("croncheck", "--json")
    assert json.loads(told.out)["checks"]["broker"]["status"] == "failed"
    assert "hunter2" not in told.out


@pytest.mark.celery
def test_a_broker_that_refuses_the_password_does_not_repeat_it(use_broker):
    parts = urlsplit(broker("rabbitmq"))
    use_broker(parts._replace(netloc=f"ann:hunter2@{parts.hostname}:{parts.port or 5672}").geturl())

    out, err, _ = run_command("croncheck")

    assert "The broker refuses the user or the password.\n" in out
    assert "hunter2" not in out + err


def test_without_celery_croncheck_asks_no_broker():
    assert "notice  broker" in run_command("croncheck").out
