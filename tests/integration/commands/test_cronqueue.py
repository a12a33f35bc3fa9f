"""`manage.py cronqueue`."""

from __future__ import annotations

import json

import pytest

from cronjobs.manager import cron_manager
from cronjobs.models import JobExecution, Queue
from cronjobs.models.queue import EVERYTHING
from tests.commands import run_command

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def heavy(make_job):
    """A job in a queue of its own."""
    return make_job("noop", name="heavy-job", queue="heavy")


def found(name="heavy"):
    return Queue.objects.filter(name=name).values_list("paused", "limit").first()


def test_the_queues_are_shown_with_what_is_in_them():
    Queue.objects.create(name="heavy", limit=2, paused=True)
    JobExecution.objects.request("heavy-job")

    shown = run_command("cronqueue")

    assert shown.code == 0
    assert ["heavy", "paused, at most 2 at once", "1", "0"] in [
        [cell.strip() for cell in line.split("  ") if cell.strip()] for line in shown.out.splitlines()
    ]
    assert EVERYTHING not in shown.out


def test_pausing_resuming_and_limiting():
    paused = run_command("cronqueue", "--pause", "heavy")
    assert (paused.code, found()) == (0, (True, None))
    assert paused.out == "Queue heavy: paused; 0 waiting, 0 running.\n"
    assert (run_command("cronqueue", "--pause", "heavy").code, found()) == (0, (True, None))
    assert (run_command("cronqueue", "--limit", "heavy", "2").code, found()) == (0, (True, 2))
    assert (run_command("cronqueue", "--resume", "heavy").code, found()) == (0, (False, 2))
    assert (run_command("cronqueue", "--limit", "heavy", "none").code, found()) == (0, (False, None))


def test_what_still_runs_when_everything_is_paused_is_counted():
    execution = JobExecution.objects.request("heavy-job")
    JobExecution.objects.filter(pk=execution.pk).update(status="running")

    assert run_command("cronqueue", "--pause-all").out.endswith("\nWhat runs goes on (1 now): cronstatus shows it.\n")


def test_pausing_and_resuming_everything():
    said = run_command("cronqueue", "--pause-all")

    assert "Everything is paused" in said.out
    assert found(EVERYTHING) == (True, None)
    for command in ("cronqueue", "cronstatus", "croncheck"):
        assert "Everything is paused, until somebody resumes it" in run_command(command).out
    assert json.loads(run_command("cronqueue", "--json").out)["paused"] is True
    assert run_command("cronpreview", "--job", "heavy-job", "--json").out.count("paused: everything is") == 1
    assert run_command("cronqueue", "--resume-all").out == "Nodes schedule and start what is due.\n"
    assert found(EVERYTHING) == (False, None)


def test_as_json():
    Queue.objects.create(name="heavy", limit=2)
    JobExecution.objects.request("heavy-job")

    document = json.loads(run_command("cronqueue", "--json", "--pause", "heavy").out)

    counts = {"waiting": 1, "dispatched": 0, "running": 0}
    heavy = {"name": "heavy", "limit": 2, "paused": True, **counts, "description": ""}
    assert document["paused"] is False
    assert [each for each in document["queues"] if each["name"] == "heavy"] == [heavy]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--pause", "hevy"], "There is no queue named 'hevy'. Did you mean 'heavy'?"),
        (["--resume", ""], "There is no queue named ''."),
        (["--limit", "heavy", "0"], "A limit is a whole number of at least 1, or none, not '0'."),
        (["--limit", "heavy", "99999999999"], "A limit is a whole number"),
        (["--limit", "*", "3"], "Only single queues are limited"),
        (["--pause", "heavy", "--resume", "heavy"], "not allowed with argument"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, said):
    refused = run_command("cronqueue", *arguments)

    assert refused.code == 2
    assert said in refused.err
    assert not Queue.objects.filter(paused=True).exists()


def test_status_shows_paused_and_limited_queues():
    Queue.objects.create(name="heavy", paused=True)
    Queue.objects.filter(name="default").update(limit=3)
    JobExecution.objects.request("heavy-job")

    shown = run_command("cronstatus").out

    assert "Queue heavy is paused: 1 execution held back." in shown
    assert "Queue default: at most 3 at once; 0 waiting, 0 running." in shown
    document = json.loads(run_command("cronstatus", "--json").out)
    assert [(each["name"], each["waiting"]) for each in document["queues"]] == [("default", 0), ("heavy", 1)]
    assert document["queue"]["paused"] == {"heavy": 1}
    assert document["queue"]["waiting"] == 0


def test_the_manager_does_the_same():
    cron_manager.pause_queue("heavy")
    assert found() == (True, None)
    cron_manager.resume_queue("heavy")
    assert found() == (False, None)
    cron_manager.pause_all()
    assert cron_manager.get_status()["cronJobs"]["heavy-job"]["paused"] is True
    cron_manager.resume_all()
    assert cron_manager.get_status()["cronJobs"]["heavy-job"]["paused"] is False


@pytest.mark.parametrize("names", [",", "*", f"a,{'b' * 51}"])
def test_a_node_refuses_queues_that_cannot_be(names):
    refused = run_command("runcron", "--once", "--queues", names)

    assert refused.code == 2
    assert "queue" in refused.err
