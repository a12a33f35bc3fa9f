"""`cronpause` and `cronresume`: one job, for a while or until somebody resumes it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.core.management import load_command_class

from cronjobs.models import Job, Queue
from cronjobs.models.queue import EVERYTHING
from cronjobs.scheduler.plans import sync
from tests.commands import run_command

pytestmark = pytest.mark.django_db


@pytest.fixture
def hourly(make_job):
    return make_job("noop", schedule="@hourly")


def pause_of(job):
    job.refresh_from_db()
    return job.paused, job.paused_until


def test_a_job_is_paused_and_resumed(hourly):
    assert run_command("cronpause", "noop") == ("noop is paused until it is resumed.\n", "", 0)
    assert pause_of(hourly) == (True, None)
    assert run_command("cronpause", "noop") == ("noop was paused until it is resumed already.\n", "", 0)

    assert run_command("cronresume", "noop") == ("noop is resumed, from now on.\n", "", 0)
    assert pause_of(hourly) == (False, None)
    assert run_command("cronresume", "noop") == ("noop was not paused.\n", "", 0)


def test_a_pause_may_have_an_end_and_another_one_later(hourly, database_now):
    first, second = (database_now.replace(microsecond=0) + timedelta(days=days) for days in (1, 2))

    out = run_command("cronpause", "noop", "--until", first.isoformat()).out
    assert out == f"noop is paused until {first:%Y-%m-%d %H:%M:%S} UTC.\n"
    assert pause_of(hourly) == (True, first)

    shown = json.loads(run_command("cronpause", "noop", "--until", second.isoformat(), "--json").out)
    assert shown == {
        "jobName": "noop",
        "enabled": True,
        "paused": True,
        "pausedUntil": f"{second:%Y-%m-%dT%H:%M:%S}.000Z",
    }

    run_command("cronpause", "noop")
    assert pause_of(hourly) == (True, None)


def test_nodes_notice_it(hourly, database_now):
    sync(database_now)
    assert not Job.objects.stale().exists()

    run_command("cronpause", "noop")

    assert list(Job.objects.stale()) == [hourly]


def test_resuming_says_what_still_stops_the_job(hourly):
    Job.objects.filter(pk=hourly.pk).update(paused=True, enabled=False)
    Queue.objects.named(EVERYTHING).pause()

    out, err, code = run_command("cronresume", "noop")

    assert (out, code) == ("noop is resumed, from now on.\n", 0)
    assert "noop is disabled" in err
    assert "Everything is paused" in err


@pytest.mark.parametrize(
    ("command", "arguments", "sentence"),
    [
        ("cronpause", ["nop"], "There is no job named 'nop'. Did you mean 'noop'?"),
        ("cronresume", ["nop"], "There is no job named 'nop'. Did you mean 'noop'?"),
        ("cronpause", ["noop", "--until", "2020-01-01T00:00:00Z"], "2020-01-01 00:00:00 UTC is not."),
        ("cronpause", ["noop", "--until", "tomorrow"], "must be a time with its zone"),
        ("cronpause", ["noop", "--until", "2036-01-01T00:00:00"], "must be a time with its zone"),
        ("cronpause", [], "name"),
    ],
)
def test_what_makes_no_sense_is_code_2_and_changes_nothing(hourly, command, arguments, sentence):
    refused = run_command(command, *arguments)

    assert refused.code == 2
    assert sentence in refused.err
    assert pause_of(hourly) == (False, None)


@pytest.mark.parametrize("command", ["cronskip", "croncancel"])
def test_other_commands_point_there(command):
    assert "cronpause" in load_command_class("cronjobs", command).create_parser("manage.py", command).format_help()
