"""System checks of the project's Celery app: each app is a real one, and none is connected to."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cronjobs import health
from cronjobs.checks import check_celery_app, check_celery_definitions, check_celery_jobs
from tests.commands import run_command_process
from tests.servers import ROOT

REDIS, RABBITMQ = "redis://:hunter2@127.0.0.1:1/0", "amqp://ann:hunter2@127.0.0.1:1//"
NAME = "shop_celery"

UseApp = Callable[..., None]


def source(**conf: Any) -> str:
    """Return a module with an app that is set up well but for what `conf` says."""
    settings = {"broker_url": REDIS, "worker_prefetch_multiplier": 1, "task_queue_max_priority": 5, **conf}
    return f"""
from celery import Celery
app = Celery("shop", set_as_current=False)
app.conf.update({settings!r})
app.autodiscover_tasks(["cronjobs"])
"""


@pytest.fixture
def use_app(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[UseApp]:
    """Let CRONJOBS name an app that is made as `conf` says, and let it perform everything."""
    # One is set up as its settings say, not as this process was started.
    monkeypatch.delenv("CELERY_BROKER_URL", raising=False)

    def use(text: str | None = None, /, **conf: Any) -> None:
        (tmp_path / f"{NAME}.py").write_text(source(**conf) if text is None else text)
        monkeypatch.syspath_prepend(tmp_path)
        settings.CRONJOBS = {"CELERY_APP": f"{NAME}.app", "EXECUTOR": "celery"}

    yield use
    sys.modules.pop(NAME, None)


def ids_of(found: list[Any]) -> list[str]:
    return [each.id for each in found]


def test_without_celery_nothing_is_looked_at():
    assert check_celery_app() == check_celery_definitions() == check_celery_jobs(databases=["default"]) == []


@pytest.mark.parametrize("conf", [{}, {"broker_url": RABBITMQ}])
def test_an_app_that_is_set_up_well_has_nothing_to_be_told(use_app, conf):
    use_app(**conf)

    assert check_celery_app() == check_celery_definitions() == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("import no_such_thing", "cannot be imported: No module named 'no_such_thing'", id="module"),
        pytest.param("application = 1", "cannot be imported: Module", id="attribute"),
        pytest.param("1 / 0", "cannot be imported: ZeroDivisionError.", id="fails"),
        pytest.param("app = 'redis'", "is no Celery app but a str", id="no-app"),
    ],
)
def test_what_is_no_app_is_an_error_that_names_the_extra(use_app, text, said):
    use_app(text)

    (error,) = check_celery_app()

    assert error.id == "cronjobs.E004"
    assert error.is_serious()
    assert said in error.msg
    assert "cronjobs[celery]" in error.hint
    # One sentence about it is enough.
    assert check_celery_definitions() == []


@pytest.mark.slow
@pytest.mark.sqlite_only
def test_where_celery_is_not_installed_the_extra_is_named(tmp_path):
    (tmp_path / "celery.py").write_text("raise ModuleNotFoundError('No module named celery', name='celery')")
    environment = {
        "PYTHONPATH": f"{tmp_path}:{ROOT}",
        "TEST_CRONJOBS": json.dumps({"CELERY_APP": "project.celery.app", "EXECUTOR": "celery"}),
    }

    _, err, code = run_command_process("check", **environment)

    assert code == 1
    assert "(cronjobs.E004) CRONJOBS['CELERY_APP'] is set, and Celery is not installed" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("conf", "said"),
    [
        pytest.param({"broker_url": None}, "has no broker", id="none"),
        pytest.param({"broker_url": "nonsense://ann:hunter2@h"}, "cannot be used: KeyError", id="unknown"),
    ],
)
def test_no_broker_is_an_error(use_app, conf, said):
    use_app(**conf)

    (error,) = check_celery_app()

    assert error.id == "cronjobs.E005"
    assert said in error.msg
    assert "hunter2" not in str(error)


@pytest.mark.parametrize(
    ("conf", "identity", "said"),
    [
        pytest.param(
            {"task_annotations": {"cronjobs.perform": {"acks_late": False}}},
            "cronjobs.W014",
            "acknowledged before it begins",
            id="acks-late",
        ),
        pytest.param(
            {"broker_url": RABBITMQ, "task_queue_max_priority": None},
            "cronjobs.W016",
            "not told of priorities in default",
            id="priorities",
        ),
        pytest.param({"result_backend": REDIS}, "cronjobs.I001", "does not need", id="results-of-others"),
        pytest.param(
            {"result_backend": REDIS, "task_annotations": {"*": {"ignore_result": False}}},
            "cronjobs.I001",
            "which nobody reads or deletes",
            id="results",
        ),
        pytest.param({"worker_prefetch_multiplier": 40}, "cronjobs.I002", "fetches 40 messages ahead", id="prefetch"),
        pytest.param({"worker_prefetch_multiplier": 0}, "cronjobs.I002", "any number of messages", id="no-limit"),
        pytest.param(
            {"worker_cancel_long_running_tasks_on_connection_loss": True},
            "cronjobs.W018",
            "ends what it performs",
            id="cancels",
        ),
    ],
)
def test_what_could_be_better_is_told(use_app, conf, identity, said):
    use_app(**conf)

    (found,) = check_celery_app()

    assert found.id == identity
    assert said in found.msg
    assert found.hint
    assert not found.is_serious()


def test_a_queue_of_rabbitmq_may_be_declared_with_its_own_priorities(use_app):
    queue = {"default": {"queue_arguments": {"x-max-priority": 5}}}
    use_app(broker_url=RABBITMQ, task_queue_max_priority=None, task_queues=queue)

    # The other definitions are in queues that are not declared.
    assert [each.msg for each in check_celery_app() if "default" in each.msg] == []


@pytest.mark.slow
@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param("", "it has not looked for tasks in the installed apps", id="forgotten"),
        pytest.param(
            "app.conf.imports = ['broken_tasks']", "its tasks cannot be imported: ZeroDivisionError", id="broken"
        ),
    ],
)
def test_an_app_that_does_not_know_the_task_is_warned_of(tmp_path, line, said):
    # In a process where nobody else has imported the task: it is one of all apps that there are.
    (tmp_path / f"{NAME}.py").write_text(source().replace('app.autodiscover_tasks(["cronjobs"])', line))
    (tmp_path / "broken_tasks.py").write_text("1 / 0")
    environment = {
        "PYTHONPATH": f"{tmp_path}:{ROOT}",
        "TEST_CRONJOBS": json.dumps({"CELERY_APP": f"{NAME}.app", "EXECUTOR": "celery"}),
    }

    _, err, code = run_command_process("check", **environment)

    assert code == 0
    assert "(cronjobs.W012) The Celery app does not know the task cronjobs.perform" in err
    assert said in err
    assert "autodiscover_tasks()" in err


TIMES = [
    pytest.param({"broker_transport_options": {"visibility_timeout": 60}}, "cronjobs.W013", "within 60 s", id="redis"),
    pytest.param({"task_time_limit": 30}, "cronjobs.W015", "after 30 s", id="hard"),
    pytest.param({"task_time_limit": 300, "task_soft_time_limit": 40}, "cronjobs.W015", "after 40 s", id="soft"),
    pytest.param(
        {"task_annotations": {"cronjobs.perform": {"time_limit": 20}}}, "cronjobs.W015", "after 20 s", id="annotated"
    ),
]


@pytest.mark.parametrize(("conf", "identity", "said"), TIMES)
def test_a_time_of_celery_s_that_is_shorter_than_a_job_s_timeout_is_warned_of(use_app, make_job, conf, identity, said):
    use_app(**conf)
    make_job("noop", name="short", timeout=timedelta(seconds=10))
    make_job("noop", name="long", timeout=timedelta(minutes=2))
    make_job("noop", name="elsewhere", timeout=timedelta(minutes=2), executor="process")
    make_job("noop", name="off", timeout=timedelta(minutes=2), enabled=False)

    (found,) = check_celery_jobs(databases=["default"])

    assert (found.id, found.obj) == (identity, "long")
    assert "may take 120 s" in found.msg
    assert said in found.msg
    assert found.hint
    assert check_celery_jobs() == []


def test_the_visibility_timeout_is_an_hour_unless_it_is_set_and_rabbitmq_has_none(use_app, make_job):
    make_job("noop", timeout=timedelta(hours=2))
    use_app()

    (found,) = check_celery_jobs(databases=["default"])

    assert "within 3600 s" in found.msg

    sys.modules.pop(NAME)
    use_app(broker_url=RABBITMQ)
    assert check_celery_jobs(databases=["default"]) == []


@pytest.mark.django_db
def test_the_timeouts_of_definitions_are_looked_at_without_a_database(use_app, define):
    define(lambda_named("two_hours"), timeout=7200)
    use_app()

    (found,) = check_celery_definitions()

    assert (found.id, found.obj) == ("cronjobs.W013", "two-hours")
    # Nobody has decided anything else about its row, so one warning is enough.
    assert check_celery_jobs(databases=["default"]) == []


@pytest.mark.django_db
def test_a_definition_that_wants_celery_where_there_is_none_is_warned_of(settings, define):
    define(lambda_named("wants_celery"), executor="celery")
    define(lambda_named("is_moved"), executor="celery", queue="here")
    settings.CRONJOBS = {"QUEUE_EXECUTORS": {"here": "thread"}}

    (found,) = check_celery_definitions()

    assert (found.id, found.obj) == ("cronjobs.W017", "wants-celery")
    assert "CELERY_APP" in found.hint


@pytest.mark.django_db
def test_what_is_only_worth_knowing_is_a_notice_of_the_health(use_app):
    use_app(result_backend=REDIS)

    found = health.check_configuration()

    assert (found.status, found.details["ids"]) == ("notice", ["cronjobs.I001"])


def lambda_named(name: str) -> Callable[..., None]:
    def func(context: Any) -> None:
        """Do nothing."""

    func.__name__ = name
    return func
