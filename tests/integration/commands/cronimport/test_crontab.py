"""`manage.py cronimport crontab`: which lines become which jobs, and what is written."""

from __future__ import annotations

import ast
import io
import json
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cronjobs.exceptions import InvalidRequest
from cronjobs.importing import Entry, apply, plan
from cronjobs.management.actors import shell
from cronjobs.management.arguments import who
from cronjobs.management.commands.cronimport import is_of_system
from cronjobs.models import Job, JobExecution
from cronjobs.scheduler.plans import sync
from cronjobs.scheduler.ticks import tick
from tests.commands import run_command
from tests.integration.commands.cronimport.shown import ZONE, columns_of, outcomes
from tests.integration.tables import everything

LINES = (
    "*/5 * * * * ./manage.py noop",
    "0 7 * * * ./manage.py send_digest --days 2",
    "0 8 * * * ./manage.py send_digest",
    "15 3 * * * /opt/backup.sh --full",
    "@reboot /opt/warm-up.sh",
)


@pytest.mark.django_db
def test_it_says_what_would_become_of_each_line_and_writes_nothing(crontab):
    before = everything()

    shown = crontab("MAILTO=ops@example.com", *LINES)

    assert (shown.err, shown.code) == ("", 0)
    assert everything() == before
    rows = [line.split("  ") for line in shown.out.splitlines() if line.startswith("line")]
    assert [(cells[0], cells[-1].strip()) for cells in rows] == [
        ("line 2", "create"),
        ("line 3", "differs"),
        ("line 4", "create"),
        ("line 5", "needs a definition"),
        ("line 6", "cannot"),
    ]
    assert "    schedule: 0 6 * * * -> 0 7 * * *\n" in shown.out
    assert "    time_zone: UTC -> Europe/Berlin\n" in shown.out
    assert "    params: {} -> {'days': 2}\n" in shown.out
    assert "note: MAILTO is left out" in shown.out
    assert "@job(\"backup\", schedule='15 3 * * *', time_zone='Europe/Berlin')\ndef backup(context):\n" in shown.out
    assert shown.out.endswith(
        "2 to be created, 1 existing but different, 1 without a definition, 1 impossible. "
        "Nothing was written: --apply does that.\n"
    )


@pytest.mark.django_db
def test_what_is_missing_is_made_and_what_is_there_is_changed_only_if_that_is_wanted(crontab):
    applied = crontab(*LINES, options=(*ZONE, "--apply"))

    assert applied.out.endswith("2 created, 0 changed. What is different stays so without --update.\n")
    assert columns_of("noop") == ("noop", "*/5 * * * *", "Europe/Berlin", {}, False)
    assert columns_of("send-digest-2") == ("send-digest", "0 8 * * *", "Europe/Berlin", {}, False)
    assert columns_of("send-digest") == ("send-digest", None, None, {}, False)

    assert crontab(*LINES, options=(*ZONE, "--apply", "--update")).out.endswith("0 created, 1 changed.\n")
    assert columns_of("send-digest") == ("send-digest", "0 7 * * *", "Europe/Berlin", {"days": 2}, False)


@pytest.mark.django_db
def test_running_it_twice_adds_nothing_twice(crontab):
    options = (*ZONE, "--apply", "--update", "--json")
    first = crontab(*LINES, options=options)
    before = everything()

    again = crontab(*LINES, options=options)

    assert everything() == before
    assert [json.loads(each.out)["created"] for each in (first, again)] == [2, 0]
    assert outcomes(again) == {
        "noop": "same",
        "send-digest": "same",
        "send-digest-2": "same",
        "backup": "needs a definition",
        "warm-up": "cannot",
    }


@pytest.mark.django_db
def test_a_job_that_does_the_same_by_its_definition_is_the_same(crontab):
    shown = crontab("0 6 * * * manage.py send_digest", options=("--time-zone", "UTC", "--json"))

    assert outcomes(shown) == {"send-digest": "same"}


@pytest.mark.django_db
def test_nothing_is_written_while_a_line_is_not_understood(crontab):
    before = everything()

    refused = crontab(*LINES, "hello world", options=(*ZONE, "--apply"))

    assert refused.code == 1
    assert refused.err == ("CommandError: Nothing was written, since it is not known what was meant: line 6.\n")
    assert everything() == before


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("0 6 * * * manage.py send_digest --weeks 2", "weeks: There is no such parameter."),
        ("0 6 * * * manage.py send_digest 7", "A job's parameters have names"),
        ("0 6 * * * manage.py cleanup-old-quotes", "is not available here: its only_if says so"),
    ],
)
def test_what_a_definition_cannot_do_is_not_written(crontab, line, said):
    before = everything()

    shown = crontab(line, options=(*ZONE, "--apply", "--update"))

    assert everything() == before
    assert said in shown.out
    assert "create" not in shown.out.splitlines()[1]


@pytest.mark.django_db
def test_a_crontab_needs_a_zone_unless_it_names_one(crontab):
    refused = crontab("0 6 * * * manage.py noop", options=())

    assert refused.code == 2
    assert refused.err.startswith("CommandError: Say --time-zone, such as --time-zone Europe/Berlin: a crontab follows")
    assert crontab("CRON_TZ=Asia/Tokyo", "0 6 * * * manage.py noop", options=("--apply",)).code == 0
    assert columns_of("noop")[:3] == ("noop", "0 6 * * *", "Asia/Tokyo")


@pytest.mark.django_db
def test_a_rule_names_the_definition(crontab, tmp_path):
    rules = tmp_path / "rules"
    rules.write_text("# ours\n/opt/report.sh*=succeeds\n")
    mapped = ("--map", "*backup.sh*=noop", "--map-file", str(rules))

    shown = crontab("@daily /opt/backup.sh --full", "@hourly /opt/report.sh", options=(*ZONE, *mapped, "--apply"))

    assert (shown.err, shown.code) == ("", 0)
    assert {each.name: each.schedule for each in Job.objects.exclude(name="send-digest")} == {
        "noop": "@daily",
        "succeeds": "@hourly",
    }
    assert "What follows backup is left out: 1 of its words." in shown.out


@pytest.mark.django_db
def test_what_would_be_called_like_another_definition_is_called_otherwise(crontab):
    mapped = ("--map", "*weekly*=send-digest", "--map", "*noop*=send-digest", "--apply", "--update")

    crontab("@weekly /opt/weekly.sh", "@daily /opt/noop.sh", options=(*ZONE, *mapped))

    assert dict(Job.objects.values_list("name", "definition")) == {
        "send-digest": "send-digest",
        "noop-2": "send-digest",
    }


@pytest.mark.django_db
def test_a_stub_is_python_and_masks_secrets(crontab):
    shown = crontab(
        "0 6 * * * manage.py 2nd-import --days 2 --api-key abc123 --class x",
        "0 6 * * * manage.py lambda",
        options=(*ZONE, "--json"),
    )

    first, second = (each["stub"] for each in json.loads(shown.out)["entries"])
    assert ast.parse(first).body[0].name == "job_2nd_import"
    assert "(context, *, days=2, api_key):\n    ...  # 2nd-import" in first
    assert ast.parse(second).body[0].name == "job_lambda"
    assert "abc123" not in shown.out


@pytest.mark.django_db
def test_a_stub_calls_a_command_of_django_that_a_line_runs(crontab):
    shown = crontab(
        "@daily manage.py clearsessions", "@daily manage.py migrate --run-syncdb", "@daily manage.py check x"
    )

    assert "from django.core.management import call_command\n\nfrom cronjobs import job\n" in shown.out
    assert "def clearsessions(context):\n    call_command('clearsessions')\n" in shown.out
    assert "(context, *, run_syncdb=True):\n    call_command('migrate', run_syncdb=run_syncdb)\n" in shown.out
    assert "def check(context):\n    ...  # check\n" in shown.out


@pytest.mark.django_db
def test_a_word_behind_a_flag_is_no_value(crontab, define):
    def purge_news(context, *, force=False, days=1):
        """Do nothing."""

    define(purge_news)

    assert "1 of its arguments" in crontab("@daily manage.py purge_news --force prod --days 2").out
    mapped = crontab(
        "@daily manage.py purge_news --force prod", options=(*ZONE, "--map", "*=purge-news", "--apply", "--update")
    )
    assert mapped.err == ""
    assert columns_of("purge-news")[3] == {"force": True}


@pytest.mark.django_db
def test_half_a_line_becomes_no_job_unless_a_rule_says_so(crontab):
    line = "@daily manage.py noop && aws s3 cp /x s3://y"

    undefined = crontab("@daily manage.py dump && aws s3 cp /x s3://y").out
    assert "No definition has its name, and no rule names one. It runs more than one job does: aws." in undefined
    assert outcomes(crontab(line, options=(*ZONE, "--json"))) == {"noop": "cannot"}
    assert outcomes(crontab(line, options=(*ZONE, "--json", "--map", "*aws*=noop"))) == {"noop": "create"}


@pytest.mark.django_db
def test_what_is_written_is_in_the_security_log(crontab, caplog, django_capture_on_commit_callbacks):
    caplog.set_level(logging.INFO)
    with django_capture_on_commit_callbacks(execute=True):
        crontab(*LINES[:2], options=(*ZONE, "--apply", "--update"))

    told = [each for each in caplog.records if each.name == "cronjobs.security"]
    assert [(each.event, each.target, each.actor, each.action) for each in told] == [
        ("job.created", "noop", who(), "cronimport"),
        ("job.rescheduled", "send-digest", who(), "cronimport"),
    ]


@pytest.mark.django_db
def test_what_is_written_never_fires_the_past(crontab, database_now):
    sync(database_now)
    crontab("* * * * * manage.py noop", "* * * * * manage.py send_digest", options=(*ZONE, "--apply", "--update"))

    later = database_now + timedelta(hours=5)
    sync(later)
    tick(later)

    assert not JobExecution.objects.exists()


@pytest.mark.django_db
def test_all_that_is_written_can_be_paused(crontab):
    crontab(*LINES, options=(*ZONE, "--apply", "--update", "--paused"))

    assert list(Job.objects.values_list("paused", flat=True)) == [True] * 3


@pytest.mark.django_db
@pytest.mark.parametrize("update", [(), ("--update",)])
def test_what_stays_as_it_is_can_be_paused_too(crontab, update):
    lines = ("0 6 * * * ./manage.py send_digest", "*/5 * * * * ./manage.py noop")
    crontab(*lines, options=("--time-zone", "UTC", "--apply"))
    Job.objects.filter(name="noop").update(paused=True, paused_until=datetime(2001, 1, 1, tzinfo=UTC))

    shown = crontab(
        *lines[:1], "7 * * * * ./manage.py noop", options=(*ZONE[:1], "UTC", "--apply", *update, "--paused")
    )

    assert shown.err == ""
    assert list(Job.objects.values_list("paused", "paused_until")) == [(True, None)] * 2
    assert Job.objects.get(name="noop").schedule == ("7 * * * *" if update else "*/5 * * * *")
    assert f"0 created, {len(update)} changed, {2 - len(update)} more paused." in shown.out


@pytest.mark.django_db
def test_what_somebody_changed_since_it_was_compared_is_not_changed_again(crontab):
    entry = Entry(place="line 1", name="noop", runs="noop", columns={"schedule": "0 7 * * *"})
    job = Job.objects.create(name="noop", definition="noop", schedule="0 6 * * *")
    findings = plan([entry])
    Job.objects.filter(pk=job.pk).update(schedule="0 9 * * *")
    before = everything()

    with pytest.raises(InvalidRequest, match="Somebody else has changed job noop meanwhile"):
        apply(findings, actor=shell("cronimport"), update=True)

    assert everything() == before


@pytest.mark.django_db
def test_a_crontab_may_come_through_a_pipe(monkeypatch):
    text = io.TextIOWrapper(io.BytesIO(b"0 6 * * * manage.py noop"))
    monkeypatch.setattr("sys.stdin", text)

    assert outcomes(run_command("cronimport", "crontab", "-", *ZONE, "--json")) == {"noop": "create"}


@pytest.mark.parametrize(
    ("directory", "name", "is_system"),
    [
        ("/etc", "crontab", True),
        ("/etc/cron.d", "shop", True),
        ("/", "etc/../etc/crontab", True),
        ("/", "crontab", False),
        ("/srv", "cron.d/shop", False),
    ],
)
def test_the_crontab_of_the_system_is_known_by_its_place(monkeypatch, directory, name, is_system):
    # Not every machine has these directories.
    there = Path(directory)
    if not there.is_dir():
        pytest.skip(f"there is no {directory}")
    monkeypatch.chdir(there)

    assert is_of_system(Path(name)) is is_system
