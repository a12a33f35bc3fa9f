"""The manager: a node in this process, and jobs started, stopped, run and registered by name."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from cronjobs import Cron
from cronjobs.exceptions import InvalidDefinition, InvalidParameters, JobNotFound
from cronjobs.manager import CronManager, cron_manager
from cronjobs.models import Job, JobExecution, Node
from cronjobs.registry import registry
from tests.app import jobs
from tests.servers import wait_for

pytestmark = pytest.mark.django_db


@pytest.fixture
def registered():
    """Remove what a test registers."""
    before = {each.name for each in registry}
    yield
    for each in list(registry):
        if each.name not in before:
            registry.remove(each.name)


@pytest.fixture
def manager(transactional_db):
    """A manager whose node is stopped at the end."""
    manager = CronManager()
    yield manager
    manager.stop(grace=timedelta(seconds=10))


def test_the_manager_runs_a_node_that_works(manager):
    assert manager.start() is True

    assert manager.is_running
    assert manager.get_status()["isRunning"] is True
    execution = manager.execute_job("succeeds", value=4)
    wait_for(lambda: JobExecution.objects.filter(pk=execution.pk, status="succeeded").exists())


def test_a_second_start_changes_nothing_and_says_so(manager, caplog):
    manager.start()

    with caplog.at_level(logging.WARNING, logger="cronjobs.manager"):
        assert manager.start() is False

    assert "runs in this process already" in caplog.text
    assert Node.objects.alive().count() == 1


def test_stopping_drains_the_node(manager, tmp_path):
    manager.start()
    execution = manager.execute_job("marks", path=str(tmp_path / "marks"), seconds=0.3)
    wait_for(lambda: JobExecution.objects.filter(pk=execution.pk, status="running").exists())

    assert manager.stop() is True

    assert not manager.is_running
    assert manager.get_status()["isRunning"] is False
    assert JobExecution.objects.get(pk=execution.pk).status == "succeeded"


def test_stopping_without_patience_gives_up_what_runs(manager, tmp_path):
    manager.start()
    execution = manager.execute_job("marks", path=str(tmp_path / "marks"), seconds=1)
    wait_for(lambda: JobExecution.objects.filter(pk=execution.pk, status="running").exists())

    assert manager.stop(grace=timedelta(0)) is False

    assert JobExecution.objects.get(pk=execution.pk).status == "lost"


def test_a_node_that_was_stopped_can_be_started_again(manager):
    manager.start()
    manager.stop()

    assert manager.start() is True
    assert Node.objects.alive().count() == 1


def test_a_node_whose_thread_has_died_is_replaced(manager):
    manager.start()
    first = manager._node
    first._fail(RuntimeError("a thread died"))

    assert not manager.is_running
    assert manager.start() is True
    assert manager._node is not first
    assert Node.objects.alive().count() == 1


def test_stopping_what_was_never_started_is_no_mistake():
    assert CronManager().stop() is True
    assert not CronManager().is_running


def test_stopping_and_starting_a_job_is_seen_by_every_node():
    cron_manager.stop_job("noop")
    assert cron_manager.get_status()["cronJobs"]["noop"]["paused"] is True
    assert Job.objects.stale().filter(name="noop").exists()

    cron_manager.start_job("noop")
    assert cron_manager.get_status()["cronJobs"]["noop"]["paused"] is False


def test_starting_a_job_leaves_it_disabled_if_an_operator_disabled_it():
    Job.objects.filter(name="noop").update(enabled=False)

    cron_manager.start_job("noop")

    assert Job.objects.named("noop").enabled is False


@pytest.mark.parametrize("verb", ["start_job", "stop_job", "execute_job"])
def test_what_is_no_job_is_not_found(verb):
    with pytest.raises(JobNotFound, match="no-such-job"):
        getattr(cron_manager, verb)("no-such-job")


def test_executing_a_job_only_records_it():
    execution = cron_manager.execute_job("succeeds", value=4)

    assert (execution.status, execution.trigger, execution.params) == ("queued", "manual", {"value": 4})


def test_executing_with_wrong_parameters_records_nothing():
    with pytest.raises(InvalidParameters):
        cron_manager.execute_job("noop", name="x")

    assert not JobExecution.objects.exists()


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("schedule", ["*/5 * * * *", Cron("*/5 * * * *")])
def test_a_registered_job_exists_with_its_schedule(schedule):
    def hello(context, *, name="world"):
        """Say hello."""
        return f"Hello, {name}"

    job = cron_manager.register_job("hello", schedule, hello)

    assert job.schedule_text() == "*/5 * * * *"
    assert registry["hello"].description == "Say hello."
    assert cron_manager.register_job("hello", schedule, hello).pk == job.pk


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize(
    ("name", "schedule", "func", "reason"),
    [
        pytest.param("Not A Name", None, lambda context: None, "a name is", id="name"),
        pytest.param("hello", "61 * * * *", lambda context: None, "61", id="schedule"),
        pytest.param("hello", None, lambda: None, "first parameter", id="no-context"),
        pytest.param("noop", None, lambda context: None, "Two functions", id="taken"),
    ],
)
def test_what_cannot_be_a_job_is_refused(name, schedule, func, reason):
    problems = list(registry.problems)

    with pytest.raises(InvalidDefinition, match=reason):
        cron_manager.register_job(name, schedule, func)

    assert registry.problems == problems
    assert not Job.objects.filter(name__in=("Not A Name", "hello")).exists()
    assert registry["noop"].func is jobs.noop.func
