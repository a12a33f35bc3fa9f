"""The engine speaks the language of whoever reads: with a catalogue that brackets all, nothing stands outside of brackets."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.test import override_settings
from django.utils import translation

from cronjobs.addresses import parse_address
from cronjobs.alerts import AlertPolicy, parse_job_kinds, parse_notifiers
from cronjobs.dependencies import objection, parse_dependencies
from cronjobs.exceptions import (
    CronJobsError,
    DefinitionNotFound,
    ExecutionNotFound,
    JobGone,
    JobNotFound,
    MemoryLimitExceeded,
    NotOpen,
    ProcessDied,
    Skip,
    StillOpen,
    TimedOut,
)
from cronjobs.language import gettext, listed, ngettext, pgettext, site_language
from cronjobs.limits import parse_bytes, parse_rate_limit
from cronjobs.retries import RetryPolicy
from cronjobs.schedules import Cron, excluding, parse_schedule, parse_time_zone, preview
from tests.pages.marks import bracketed, unmarked

BERLIN = ZoneInfo("Europe/Berlin")
SCHEDULES = [
    "* * * * *",
    "*/5 * * * *",
    "*/7 * * * * *",
    "5,*/10 1-5,7 * * *",
    "30 0 2 * * *",
    "0 */2 * * *",
    "*/10 9-17 * * mon-fri",
    "* * 5 * * *",
    "0 0 L * *",
    "0 0 LW,15 * *",
    "0 0 1 1 *",
    "0 0 2,11,23 */3 *",
    "0 0 13 * 5",
    "0 0 */2 jan,mar-jun 1#2,friL",
    "0 0 * 1 *",
    "@every 90s",
    "@every 1h",
    "@every 6h from 2026-03-01T09:00:00Z",
    "@at 2026-03-01T09:00:00+01:00",
]


@pytest.mark.parametrize("text", SCHEDULES)
def test_a_schedule_is_said_in_the_readers_words(text):
    schedule = parse_schedule(text).in_zone("Europe/Berlin")
    with bracketed():
        said = [schedule.describe(), excluding(schedule, [date(2026, 5, 1)], BERLIN).describe()]

    assert [unmarked(each) for each in said] == [[], []]
    assert schedule.describe().startswith(("At ", "Every ", "Once, "))


@pytest.mark.parametrize("text", SCHEDULES)
def test_no_word_of_a_schedule_is_put_together_of_other_texts(text):
    schedule = parse_schedule(text)
    with bracketed():
        said = schedule.describe()

    # A message has places and words; between two others there are no letters but those of one message.
    assert said.count("⟦") == said.count("⟧") > 0
    assert said.replace("⟦", "").replace("⟧", "").casefold() == schedule.describe().casefold()


@pytest.mark.parametrize(
    "expression", ["*/7 */5 */2 */5 */2", "*/90 * * * *", "0 0 1,15 * 5", "0 0 */2 * mon", "0 0 31 * *", "30 2 * * *"]
)
def test_advice_is_given_in_the_readers_words(expression):
    with bracketed():
        advice = Cron(expression, "Europe/Berlin").advice(now=datetime(2026, 1, 1, tzinfo=UTC))

    assert advice
    assert [text for each in advice for text in unmarked(each)] == []


def test_a_preview_is_in_the_readers_words_but_for_what_somebody_wrote():
    schedule = excluding(Cron("30 2 * * *", "Europe/Berlin"), [date(2026, 3, 30)], BERLIN)
    before, skipped = datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 3, 31, 0, 30, tzinfo=UTC)
    with bracketed():
        found = preview(schedule, after=before, count=3, skipped={skipped: "Feast"})

    assert [each.mark for each in found.fires] == ["moved", "excluded", "skipped", None, None]
    assert [text for each in found.notes for text in unmarked(each)] == []


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (parse_schedule, ""),
        (parse_schedule, "* * * *"),
        (parse_schedule, "61 * * * *"),
        (parse_schedule, "* * * * mond"),
        (parse_schedule, "5-1 * * * *"),
        (parse_schedule, "5/2 * * * *"),
        (parse_schedule, "0 0 30 2 *"),
        (parse_schedule, "0 0 * * L"),
        (parse_schedule, "ä * * * *"),
        (parse_schedule, "@often"),
        (parse_schedule, "@every 5x"),
        (parse_schedule, "@every 1000d"),
        (parse_schedule, "@at 2026-03-01T09:00:00"),
        (parse_schedule, "@at tomorrow"),
        (parse_time_zone, "Europe/Berlim"),
        (parse_time_zone, " "),
        (parse_rate_limit, "often"),
        (parse_rate_limit, "0/m"),
        (parse_bytes, "lots"),
        (parse_bytes, "0"),
        (parse_dependencies, "a b"),
        (parse_dependencies, "a, a"),
        (parse_dependencies, "a:soon"),
        (parse_address, "no address"),
        (parse_address, "https://" + "a" * 500),
        (parse_address, "ftp://example.com"),
        (parse_address, "https://ann:hunter2@example.com"),
        (parse_job_kinds, "failin"),
        (parse_job_kinds, "sunny"),
        (parse_job_kinds, "node_gone"),
        (parse_job_kinds, "late, late"),
        (parse_job_kinds, "late, none"),
        (parse_job_kinds, 5),
        (parse_notifiers, "n" * 51),
        (lambda after: AlertPolicy(after=after), 0),
        (lambda seconds: AlertPolicy(late_after=seconds), -1),
    ],
)
def test_what_is_wrong_with_a_value_is_said_in_the_readers_words(parse, text):
    with bracketed(), pytest.raises(CronJobsError) as refusal:
        parse(text)

    assert unmarked(str(refusal.value)) == []


@pytest.mark.parametrize(
    "graph",
    [
        {"a": "b", "b": "c", "c": "a"},
        {"a": "b"},
        {"alpha": "beto", "beta": ""},
        {"a": "b, c", "b": "", "c": ""},
    ],
)
def test_why_a_job_could_never_run_is_said_in_the_readers_words(graph):
    name = next(iter(graph))
    with bracketed():
        found = objection(name, {each: parse_dependencies(text) for each, text in graph.items()})

    assert found
    assert unmarked(found) == []


@pytest.mark.parametrize(
    ("kind", "facts"),
    [
        (DefinitionNotFound, ["x"]),
        (JobNotFound, ["x"]),
        (ExecutionNotFound, [5]),
        (NotOpen, [5, "timed_out"]),
        (StillOpen, [5, "running"]),
        (JobGone, [5, "x"]),
        (TimedOut, [timedelta(seconds=5)]),
        (MemoryLimitExceeded, [2**20, 2**21]),
        (ProcessDied, []),
        (Skip, []),
    ],
)
def test_an_error_is_said_in_the_readers_words(kind, facts):
    with bracketed():
        said = str(kind(*facts))

    assert unmarked(said) == []


@pytest.mark.parametrize("how", [{"signal_number": 9}, {"signal_number": 99}, {"exit_code": 3}])
def test_how_a_process_died_is_said_in_the_readers_words(how):
    with bracketed():
        said = str(ProcessDied(**how))

    assert unmarked(said) == []


def test_a_policy_that_cannot_be_meant_is_refused_in_the_readers_words():
    with bracketed(), pytest.raises(ValueError, match="max_attempts") as refusal:
        RetryPolicy(max_attempts=0)

    assert unmarked(str(refusal.value)) == []


def test_what_stays_is_said_in_the_language_of_the_site():
    with bracketed():
        with site_language():
            assert translation.get_language() == "en-us"
            assert str(JobNotFound("x")) == "There is no job named 'x'."
        assert str(JobNotFound("x")) == "⟦There is no job named 'x'.⟧"


def test_the_sites_language_may_be_another():
    with bracketed(), translation.override("en"), override_settings(LANGUAGE_CODE="eo"), site_language():
        assert str(JobNotFound("x")) == "⟦There is no job named 'x'.⟧"


@pytest.mark.parametrize(
    ("parts", "text"), [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c", "d"], "a, b, c, and d")]
)
def test_a_list_has_its_word_before_the_last(parts, text):
    assert listed(parts) == text


def test_every_kind_of_message_is_translated():
    with bracketed():
        assert gettext("one") == "⟦one⟧"
        assert ngettext("one", "many", 2) == "⟦many⟧"
        assert pgettext("a number", "one") == "⟦one⟧"


def said_by(program: str) -> str:
    """Return what a program prints that has neither settings nor a language from here."""
    environment = {"PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(  # noqa: S603 - our own
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_schedules_speak_english_where_django_is_not_set_up():
    program = """
from cronjobs import Cron
from cronjobs.exceptions import InvalidSchedule
print(Cron("0 7 * jan mon-fri", "Europe/Berlin").describe())
try:
    Cron("61 * * * *")
except InvalidSchedule as error:
    print(error)
"""
    assert said_by(program).splitlines() == [
        "At 07:00 on Monday through Friday in January (Europe/Berlin)",
        "minute: '61' is not in 0–59",
    ]


def test_a_schedule_that_is_wrong_is_refused_while_apps_are_imported():
    program = """
import django.conf
from cronjobs.exceptions import InvalidSchedule
django.conf.settings.configure(USE_TZ=True)
from cronjobs import Every
from datetime import timedelta
try:
    Every(timedelta(0))
except InvalidSchedule as error:
    print(error)
"""
    assert said_by(program) == "interval: 0:00:00 is not a whole number of seconds from 1 second to 366 days\n"
