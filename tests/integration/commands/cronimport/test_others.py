"""`manage.py cronimport` of files of schedules, django-apscheduler and django-celery-beat; and what it refuses."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec

import pytest
from django.contrib import admin
from django.core.management import call_command
from django.utils import timezone
from django_apscheduler.models import DjangoJob

from cronjobs.models import Job
from cronjobs.scheduler.plans import sync
from tests.commands import run_command
from tests.integration.commands.cronimport.shown import ZONE, columns_of, outcomes


@pytest.mark.django_db
def test_a_file_of_schedules_becomes_jobs(tmp_path, settings):
    settings.CRONJOBS = {"MONGODB_URI": "mongodb://127.0.0.1:9/shop"}
    path = tmp_path / "schedules.js"
    path.write_text(
        "module.exports = {\n  CLEANUP_LEGACY_CONVERSATIONS: '*/5 * * * *',\n  cleanupOldQuotes: '0 2 * * *',\n"
        "  'health-check': '*/10 * * * *',\n  SEND_DIGEST: process.env.DIGEST_CRON,\n};\n"
    )

    shown = run_command("cronimport", "schedule-file", str(path), *ZONE, "--apply")

    assert (shown.err, shown.code) == ("", 0)
    assert {each.name: each.schedule for each in Job.objects.exclude(name="send-digest")} == {
        "cleanup-legacy-conversations": "*/5 * * * *",
        "cleanup-old-quotes": "0 2 * * *",
        "health-check": "*/10 * * * *",
    }
    assert "line 5" in shown.out
    assert "It is no plain literal" in shown.out


@pytest.mark.django_db
def test_a_file_of_schedules_needs_a_zone_unless_all_name_one(tmp_path):
    path = tmp_path / "schedules.js"
    path.write_text("x = { noop: { cron: '0 6 * * *', tz: 'UTC' }, succeeds: '0 6 * * *' }")

    refused = run_command("cronimport", "schedule-file", str(path))

    assert (refused.out, refused.code) == ("", 2)
    assert "--time-zone Europe/Berlin: node-cron follows the clock" in refused.err
    path.write_text("x = { noop: { cron: '0 6 * * *', tz: 'UTC' } }")
    assert run_command("cronimport", "schedule-file", str(path)).code == 0


@pytest.mark.django_db
def test_jobs_of_apscheduler_are_named_and_never_opened(sentinel):
    pickle = b"\x80\x04csentinel_module\nrun\n."
    at = datetime(2036, 1, 1, tzinfo=UTC)
    DjangoJob.objects.create(id="send_digest", next_run_time=at, job_state=pickle)
    DjangoJob.objects.create(id="shop.jobs:send_news", next_run_time=None, job_state=pickle)
    sync(timezone.now())

    shown = run_command("cronimport", "django-apscheduler", "--apply", "--update")

    assert (shown.err, shown.code) == ("", 0)
    digest, _, news = shown.out.partition("shop.jobs:send_news")
    assert "stands" in digest
    assert "Its own schedule stands: 0 6 * * *." in digest
    assert "It was due there at 2036-01-01 00:00:00 UTC." in digest
    assert "needs a definition" in news
    assert "It was paused there." in news
    assert "@job(\"send-news\", schedule='…')" in news
    assert "cronjobs:" not in shown.out
    assert not sentinel.exists()
    assert columns_of("send-digest") == ("send-digest", None, None, {}, False)
    run_command("cronimport", "django-apscheduler", "--apply", "--paused")
    assert columns_of("send-digest") == ("send-digest", None, None, {}, True)


@pytest.fixture
def beat(transactional_db, settings):
    """The models of django-celery-beat, whose tables its own migrations have made."""
    # Its releases wait some time before they allow the next Django.
    if find_spec("django_celery_beat") is None:
        pytest.skip("django-celery-beat is not installed")
    ours = list(settings.INSTALLED_APPS)
    settings.INSTALLED_APPS = [*ours, "django_celery_beat"]
    call_command("migrate", "django_celery_beat", verbosity=0)
    # Migrating makes a job of each definition.
    Job.objects.exclude(name="send-digest").delete()
    # Not before it is installed.
    from django_celery_beat import models

    yield models
    settings.INSTALLED_APPS = [*ours, "django_celery_beat"]
    call_command("migrate", "django_celery_beat", "zero", verbosity=0)
    # Its own pages came with it, and would be looked for when it is installed no more.
    for model in [each for each in admin.site._registry if each._meta.app_label == "django_celery_beat"]:
        admin.site.unregister(model)


@pytest.mark.parametrize("is_installed", [True, False])
def test_rows_of_celery_beat_become_jobs_whether_it_is_installed_or_not(beat, settings, is_installed):
    at = datetime(2036, 1, 1, 9, 30, tzinfo=UTC)
    weekdays = beat.CrontabSchedule.objects.create(
        minute="0", hour="7", day_of_week="mon-fri", timezone="Europe/Berlin"
    )
    both = beat.CrontabSchedule.objects.create(minute="0", hour="7", day_of_week="1", day_of_month="1-7")
    often = beat.IntervalSchedule.objects.create(every=90, period="seconds")
    task = beat.PeriodicTask.objects.create
    task(
        name="Morning digest",
        task="shop.tasks.send_digest",
        crontab=weekdays,
        kwargs='{"days": 2}',
        start_time=at,
        expires=at + timedelta(days=1),
        queue="heavy",
        description="For all.",
        priority=9,
    )
    task(name="Second digest", task="shop.tasks.send_digest", interval=often, enabled=False)
    task(name="No-op", task="noop", clocked=beat.ClockedSchedule.objects.create(clocked_time=at), one_off=True)
    task(name="Both days", task="succeeds", crontab=both)
    task(name="Unknown", task="shop.tasks.send_news", interval=often)
    sun = beat.SolarSchedule.objects.create(event="sunset", latitude=52.5, longitude=13.4)
    task(name="Evening", task="succeeds", solar=sun)
    if not is_installed:
        settings.INSTALLED_APPS = [each for each in settings.INSTALLED_APPS if each != "django_celery_beat"]

    shown = run_command("cronimport", "django-celery-beat", "--apply", "--update", "--json")

    assert (shown.err, shown.code) == ("", 0)
    assert outcomes(shown) == {
        "send-digest": "differs",
        "second-digest": "create",
        "noop": "create",
        "Both days": "cannot",
        "Unknown": "needs a definition",
        "Evening": "cannot",
    }
    digest = Job.objects.get(name="send-digest")
    assert columns_of("send-digest") == ("send-digest", "0 7 * * 1-5", "Europe/Berlin", {"days": 2}, False)
    assert (digest.starts_at, digest.ends_at, digest.queue) == (at, at + timedelta(days=1), "heavy")
    assert Job.objects.get(name="noop").schedule == "@at 2036-01-01T09:30:00Z"
    second = Job.objects.get(name="second-digest")
    assert (second.definition, second.schedule, second.enabled) == ("send-digest", "@every 1m30s", False)
    by_name = {each["name"]: each for each in json.loads(shown.out)["entries"]}
    assert "'0 7 * * 1#1' says the same as Celery." in by_name["Both days"]["reason"]
    assert by_name["Morning digest"]["notes"][0].startswith("Its priority, 9, is left out")
    again = run_command("cronimport", "django-celery-beat", "--apply", "--update", "--json")
    assert (json.loads(again.out)["created"], json.loads(again.out)["changed"]) == (0, 0)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "SOURCE"),
        (["crontab"], 2, "FILE"),
        (["crontab", "/nonexistent/crontab", *ZONE], 1, "/nonexistent/crontab cannot be read: No such file"),
        (["crontab", "/", *ZONE], 1, "/ cannot be read: Is a directory."),
        (["crontab", "a\0b", *ZONE], 1, "cannot be read"),
        (["crontab", "/dev/zero", *ZONE], 1, "is longer than 1,000,000 bytes"),
        (["crontab", "-", "--time-zone", "Mars/Olympus"], 2, "Mars/Olympus"),
        (["schedule-file", "/dev/null"], 1, "There is no object in it"),
        (["django-celery-beat"], 1, "has no table django_celery_beat_periodictask"),
        (["django-celery-beat", "--database", "elsewhere"], 2, "DATABASES has no 'elsewhere'"),
        (["django-apscheduler", "--map", "backup"], 2, "is not of the form PATTERN=DEFINITION"),
        (["django-apscheduler", "--map", "a=send-digets"], 2, "Did you mean 'send-digest'?"),
        (["django-apscheduler", "--map-file", "/nonexistent"], 2, "/nonexistent cannot be read"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(arguments, code, said):
    refused = run_command("cronimport", *arguments)

    assert (refused.out, refused.code) == ("", code)
    assert said in refused.err
    assert "Traceback" not in refused.err
