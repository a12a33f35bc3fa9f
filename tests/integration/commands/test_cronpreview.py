"""`cronpreview` shows when a job, or any schedule, is going to run."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from cronjobs.models import Calendar, Job, JobExecution
from cronjobs.scheduler.plans import sync
from cronjobs.scheduler.previews import preview_job
from cronjobs.scheduler.requests import skip_next
from cronjobs.scheduler.ticks import tick
from tests.commands import address_of_nobody, run_command, run_command_process
from tests.documentation import DOCS
from tests.integration.conftest import NOON
from tests.markdown import manage_commands
from tests.tutorial import read_tutorial

pytestmark = pytest.mark.django_db

NEW_YORK = ("--time-zone", "America/New_York")
AFTER = ("--after", "2026-01-15T12:00:00Z")
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _wide_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "500")


def previewed(*arguments):
    out, err, code = run_command("cronpreview", *arguments, "--json")
    assert (err, code) == ("", 0)
    return json.loads(out)


def shown(*arguments):
    out, err, code = run_command("cronpreview", *arguments)
    assert (err, code) == ("", 0)
    return out.splitlines()


def test_due_times_around_a_clock_change_as_json():
    found = previewed("--expression", "30 2 * * *", *NEW_YORK, "--after", "2026-03-07T12:00:00Z", "--count", "2")

    details = found.pop("details")
    assert found == {
        "expression": "30 2 * * *",
        "timeZone": "America/New_York",
        "description": "At 02:30 every day (America/New_York)",
        "fires": ["2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"],
        "notes": ["clock change on 2026-03-08: 02:30 does not exist; runs at 03:00 EDT"],
        "advice": [],
    }
    assert details[0] == {
        "at": "2026-03-08T07:00:00Z",
        "local": "Sun 2026-03-08 03:00:00 EDT",
        "start": None,
        "runs": True,
        "mark": "moved",
        "note": found["notes"][0],
    }


def test_due_times_as_a_table_in_both_zones_with_marks():
    lines = shown("--expression", "30 2 * * *", *NEW_YORK, "--after", "2026-03-07T12:00:00Z", "--count", "2")

    assert lines == [
        "At 02:30 every day (America/New_York)",
        "",
        "UTC                  LOCAL",
        "2026-03-08 07:00:00  Sun 2026-03-08 03:00:00 EDT  moved",
        "2026-03-09 06:30:00  Mon 2026-03-09 02:30:00 EDT",
        "",
        "note: clock change on 2026-03-08: 02:30 does not exist; runs at 03:00 EDT",
    ]


def test_what_does_not_run_is_shown_but_is_no_fire():
    arguments = ("--expression", "*/30 2 * * *", *NEW_YORK, "--after", "2026-03-07T12:00:00Z", "--count", "1")

    assert previewed(*arguments)["fires"] == ["2026-03-09T06:00:00Z"]
    assert [line.split()[-1] for line in shown(*arguments)[3:5]] == ["skipped", "EDT"]


def test_the_zone_is_the_settings_unless_given(settings):
    settings.CRONJOBS = {"TIME_ZONE": "Asia/Kathmandu"}

    found = previewed("--expression", "0 0 * * *", *AFTER, "--count", "1")

    assert (found["timeZone"], found["fires"]) == ("Asia/Kathmandu", ["2026-01-15T18:15:00Z"])
    assert found["details"][0]["local"] == "Fri 2026-01-16 00:00:00 +0545"


def test_ten_due_times_from_now_on_unless_asked_otherwise():
    with time_machine.travel(NOON, tick=False):
        found = previewed("--expression", "@hourly")

    assert found["expression"] == "0 * * * *"
    assert (found["fires"][0], len(found["fires"])) == ("2026-01-15T13:00:00Z", 10)


def test_a_span_includes_its_end():
    found = previewed("--expression", "@every 90m", *AFTER, "--until", "2026-01-15T15:00:00Z")

    assert found["fires"] == ["2026-01-15T13:30:00Z", "2026-01-15T15:00:00Z"]


def test_a_span_of_too_many_due_times_says_where_it_ends():
    arguments = ("--expression", "* * * * *", *AFTER, "--until", "2026-01-20T12:00:00Z")

    assert len(previewed(*arguments)["fires"]) == 1_000
    assert shown(*arguments)[-1] == "note: only the first 1,000 are shown"


def test_what_may_surprise_is_advice():
    advice = "minute: '*/7' restarts at the top of each hour, so the last interval is shorter"

    assert previewed("--expression", "*/7 * * * *", *AFTER)["advice"] == [advice]
    assert shown("--expression", "*/7 * * * *", *AFTER)[-1] == f"advice: {advice}"


def test_never_is_said():
    arguments = ("--expression", "@at 2020-01-01T00:00:00Z", *AFTER)

    assert previewed(*arguments)["fires"] == []
    assert shown(*arguments) == [
        "Once, at 2020-01-01 00:00:00 UTC",
        "",
        "never: nothing runs after 2026-01-15 12:00:00 UTC",
    ]
    until = shown("--expression", "0 0 1 * *", *AFTER, "--until", "2026-01-20T00:00:00Z")[-1]
    assert until == "never: nothing runs after 2026-01-15 12:00:00 UTC and up to 2026-01-20 00:00:00 UTC"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(("--expression", "61 * * * *"), "minute: '61' is not in 0–59", id="expression"),
        pytest.param(("--expression", ""), "A cron expression has five fields", id="empty"),
        pytest.param(("--expression", "0 0 31 2 *"), "day-of-month: no date ever matches '31 2 *'", id="no-date"),
        pytest.param(
            ("--expression", "@daily", "--time-zone", "Mars/Base"), "time_zone: 'Mars/Base' is not", id="zone"
        ),
        pytest.param(("--job", "noop", *NEW_YORK), "--time-zone goes with --expression; a job has its own.", id="both"),
        pytest.param(
            ("--expression", "@daily", *AFTER, "--until", "2026-01-15T12:00:00Z"),
            "--until must be later than 2026-01-15 12:00:00 UTC, not 2026-01-15 12:00:00 UTC.",
            id="reversed",
        ),
    ],
)
def test_a_mistake_is_code_2_and_one_sentence(arguments, sentence):
    out, err, code = run_command("cronpreview", *arguments)

    assert (out, code, err.count("\n")) == ("", 2, 1)
    assert err.startswith(f"CommandError: {sentence}")


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param((), id="nothing"),
        pytest.param(("--job", "noop", "--expression", "@daily"), id="two-things"),
        pytest.param(("--expression", "@daily", "--count", "0"), id="none"),
        pytest.param(("--expression", "@daily", "--count", "1001"), id="too-many"),
        pytest.param(("--expression", "@daily", "--count", "٣"), id="other-digits"),
        pytest.param(("--expression", "@daily", "--count", "9" * 5_000), id="huge"),
        pytest.param(("--expression", "@daily", "--count", "1", "--until", "2050-01-01T00:00:00Z"), id="both-ends"),
        pytest.param(("--expression", "@daily", "--after", "2026-01-15"), id="naive"),
    ],
)
def test_what_is_no_argument_is_code_2(arguments):
    out, err, code = run_command("cronpreview", *arguments)

    assert (out, code) == ("", 2)
    assert "usage: manage.py cronpreview" in err


def test_a_job_is_shown_with_its_name(make_job):
    make_job("noop", schedule="0 7 * * mon-fri", time_zone="Europe/Berlin")

    found = previewed("--job", "noop", *AFTER, "--count", "2")

    assert (found["jobName"], found["expression"]) == ("noop", "0 7 * * mon-fri")
    assert found["fires"] == ["2026-01-16T06:00:00Z", "2026-01-19T06:00:00Z"]
    assert shown("--job", "noop", *AFTER)[0] == f"noop: {found['description']}"


def test_a_job_is_due_from_the_databases_present_on(make_job, database_now):
    make_job("noop", schedule="@every 1h")

    first = datetime.fromisoformat(previewed("--job", "noop")["fires"][0])

    assert timedelta(0) <= first - database_now <= HOUR + timedelta(seconds=5)


def test_the_fires_are_what_the_clock_will_write(make_job):
    Job.objects.all().delete()
    days = Calendar.objects.create(name="days off", dates=["2026-01-16"])
    job = make_job(
        "noop",
        schedule="0 */8 * * *",
        calendar=days,
        jitter=timedelta(minutes=10),
        starts_at=NOON + 2 * HOUR,
        ends_at=NOON + 60 * HOUR,
    )
    found = preview_job(job, after=NOON)
    sync(NOON)

    for hour in range(80):
        tick(NOON + hour * HOUR)

    written = JobExecution.objects.filter(job=job, status="queued").order_by("scheduled_for")
    assert [(each.at, each.start) for each in found.fires if each.runs] == [
        *written.values_list("scheduled_for", "due_at")
    ]
    skipped = JobExecution.objects.get(job=job, status="skipped")
    assert [each.at for each in found.fires if not each.runs] == [skipped.scheduled_for]


def test_window_calendar_and_jitter_are_mentioned(make_job):
    days = Calendar.objects.create(name="days off", dates=["2026-01-16"])
    make_job(
        "noop",
        schedule="@daily",
        calendar=days,
        jitter=timedelta(minutes=10),
        starts_at=NOON,
        ends_at=NOON + 60 * HOUR,
    )

    lines = shown("--job", "noop", *AFTER)

    assert lines[2].split() == ["UTC", "LOCAL", "START", "(UTC)"]
    assert lines[3].endswith("  excluded")
    assert lines[4].split()[-1] > "00:00:00"
    assert lines[-5:] == [
        "note: window: not before 2026-01-15 12:00:00 UTC",
        "note: window: not after 2026-01-18 00:00:00 UTC",
        "note: calendar: it does not run on the days of days off",
        "note: jitter: each start is put off by up to 0:10:00",
        "note: 2026-01-16 is excluded by the calendar",
    ]


def test_what_was_skipped_ahead_is_marked(make_job, database_now):
    first = database_now.replace(second=0, microsecond=0) + HOUR / 2
    job = make_job("noop", schedule=f"@every 1h from {first:%Y-%m-%dT%H:%M:%SZ}")
    skip_next(job, by="ann")

    found = previewed("--job", "noop", "--count", "1")

    assert found["fires"] == [f"{first + HOUR:%Y-%m-%dT%H:%M:%SZ}"]
    assert [each["mark"] for each in found["details"]] == ["skipped", None]
    assert found["notes"] == [f"{first:%Y-%m-%d %H:%M:%S} UTC: Skipped ahead of time by ann."]


def test_a_job_that_is_still_being_typed_can_be_previewed():
    job = Job(name="new", definition="noop", schedule="@daily")

    assert preview_job(job, after=NOON, count=1).times == (datetime(2026, 1, 16, tzinfo=UTC),)


@pytest.mark.parametrize(
    ("columns", "note", "first"),
    [
        pytest.param(
            {"enabled": False}, "disabled: it does not run until it is enabled", "2026-01-15T13", id="disabled"
        ),
        pytest.param({"paused": True}, "paused: it does not run until it is resumed", "2026-01-15T13", id="paused"),
        pytest.param(
            {"paused": True, "paused_until": NOON + 5 * HOUR},
            "paused: it resumes at 2026-01-15 17:00:00 UTC",
            "2026-01-15T18",
            id="paused-until",
        ),
        pytest.param({"paused": True, "paused_until": NOON - HOUR}, None, "2026-01-15T13", id="pause-over"),
    ],
)
def test_what_keeps_a_job_from_running_is_mentioned(make_job, columns, note, first):
    make_job("noop", schedule="@hourly", **columns)

    found = previewed("--job", "noop", *AFTER)

    assert found["notes"] == ([] if note is None else [note])
    assert found["fires"][0] == f"{first}:00:00Z"


def test_everything_is_paused_by_the_setting(make_job, settings):
    make_job("noop", schedule="@hourly")
    settings.CRONJOBS = {"PAUSED": True}

    assert previewed("--job", "noop")["notes"] == ["paused: CRONJOBS['PAUSED'] stops every job"]


def test_a_job_without_a_schedule_is_never_due(make_job):
    make_job("noop")

    assert previewed("--job", "noop")["expression"] is None
    assert shown("--job", "noop", *AFTER) == [
        "noop: On demand",
        "",
        "never: nothing runs after 2026-01-15 12:00:00 UTC",
        "note: on demand: it has no schedule",
    ]


def test_a_job_that_runs_after_others_says_so(make_job):
    make_job("noop", name="load", depends_on="extract, check:always")
    make_job("noop", name="report", depends_on="load:failure", schedule="@hourly")

    assert shown("--job", "load", *AFTER)[0] == "load: After extract, check (however it ends)"
    assert previewed("--job", "load")["notes"] == ["after extract, check: it has no due times of its own"]
    assert "never" not in "".join(shown("--job", "load", *AFTER))
    assert (
        previewed("--job", "report")["description"] == "At the start of every hour (UTC), and after load (on failure)"
    )


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        pytest.param("nop", "There is no job named 'nop'. Did you mean 'noop'?", id="unknown"),
        pytest.param("noop", "Job noop cannot run: minute: '61' is not in 0–59", id="broken"),
    ],
)
def test_a_job_that_cannot_be_previewed_is_code_2(make_job, name, sentence):
    make_job("noop", schedule="61 * * * *")

    assert run_command("cronpreview", "--job", name) == ("", f"CommandError: {sentence}\n", 2)


@pytest.mark.slow
def test_an_expression_needs_no_database():
    arguments = ("cronpreview", "--expression", "@daily", *AFTER, "--count", "1", "--json")

    out, err, code = run_command_process(*arguments, DATABASE_URL=address_of_nobody("secret"))

    assert (err, code) == ("", 0)
    assert json.loads(out)["fires"] == ["2026-01-16T00:00:00Z"]


def test_the_guide_shows_what_is_printed():
    text = (DOCS / "guides" / "time-zones.md").read_text(encoding="utf-8")
    printed = ["\n".join(each.shown).strip() for step in read_tutorial(text) for each in step.commands]

    assert [run_command(*words).out.strip() for words in manage_commands(text)] == printed
    assert len(printed) == 2
