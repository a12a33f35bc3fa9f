"""Which messages a job's executions come to: each once per change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cronjobs.alerting.decisions import decide
from cronjobs.alerting.evidence import Evidence, Judged, Notice, State, WatchedJob
from cronjobs.alerts import AlertKind, AlertPolicy
from cronjobs.models.alerts import NoticeOf

START = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
STEP = timedelta(minutes=10)
FAILING, LOST, MISSED = AlertKind.FAILING, AlertKind.LOST, AlertKind.MISSED


def at(number: float) -> datetime:
    return START + number * STEP


def job(**changes: Any) -> WatchedJob:
    policy = AlertPolicy(**{"on": "failing, missed, lost", "after": 1, **changes.pop("policy", {})})
    return WatchedJob(pk=1, name="backup", policy=policy, counts_from=START, **changes)


def execution(number: int, letter: str) -> Judged:
    return Judged(at(number), number, letter == "S", at(number) + timedelta(minutes=1))


class Site:
    """A job that runs every ten minutes, and somebody who looks."""

    def __init__(self, **changes: Any) -> None:
        self.job: WatchedJob | None = job(**changes)
        self.history: list[Judged] = []
        self.states: dict[tuple[str, str], State] = {}
        self.notices: list[Notice] = []
        self.number = 0
        self.messages: list[tuple[str, int | None]] = []

    def run(self, outcomes: str, *, look: str = "each") -> Site:
        """Add executions: F failed, S succeeded, L lost, M missed; somebody looks after each of them, or once."""
        for letter in outcomes:
            self.number += 1
            number = self.number
            if letter in "FS":
                self.history.append(execution(number, letter))
            if letter != "S":
                what = {"F": NoticeOf.FAILED, "L": NoticeOf.LOST, "M": NoticeOf.MISSED}[letter]
                self.notices.append(Notice(number, number, 1, what, at(number) + timedelta(minutes=1)))
            if look == "each":
                self.look()
        return self if look == "each" else self.look()

    def look(self, *, again: bool = False) -> Site:
        found = Evidence(
            now=at(self.number + 1),
            states=self.states,
            jobs={} if self.job is None else {1: self.job},
            notices=self.notices,
            histories={1: self.history[-21:]},
        )
        for change in decide(found):
            version = (change.before.version or 0) + 1
            self.states[change.kind, change.subject] = change.after._replace(version=version)
            self.messages += [
                (_word(change.kind, is_resolution=each.is_resolution), each.execution_id) for each in change.told
            ]
        if not again:
            self.notices = []
        return self

    @property
    def told(self) -> list[str]:
        return [word for word, _ in self.messages]


def _word(kind: AlertKind, *, is_resolution: bool) -> str:
    return "recovered" if is_resolution and kind == FAILING else f"{kind} over" if is_resolution else str(kind.value)


@pytest.mark.parametrize("look", ["each", "once"])
@pytest.mark.parametrize(
    ("after", "outcomes", "messages"),
    [
        pytest.param(3, "FFFFFFFFFFFFSFFS", [("failing", 3), ("recovered", 13)], id="I5"),
        pytest.param(1, "F", [("failing", 1)], id="at the first failure"),
        pytest.param(1, "FFFF", [("failing", 1)], id="not on every failure"),
        pytest.param(1, "FFSS", [("failing", 1), ("recovered", 3)], id="a recovery once"),
        pytest.param(1, "FSF", [("failing", 1), ("recovered", 2), ("failing", 3)], id="a success between failures"),
        pytest.param(2, "FSFSFS", [], id="never two in a row"),
        pytest.param(2, "FSFFSF", [("failing", 4), ("recovered", 5)], id="two in a row after others"),
        pytest.param(3, "SSSFF", [], id="below the threshold"),
        pytest.param(3, "FFSS", [], id="below the threshold no recovery either"),
        pytest.param(3, "FFFSFFF", [("failing", 3), ("recovered", 4), ("failing", 7)], id="again"),
    ],
)
def test_a_job_that_fails_is_told_once_and_so_is_its_recovery(after, outcomes, messages, look):
    assert Site(policy={"after": after}).run(outcomes, look=look).messages == messages


def test_what_was_judged_is_not_told_again_when_its_notice_comes_twice():
    site = Site().run("FS")
    site.notices = [Notice(9, 1, 1, NoticeOf.FAILED, at(1))]

    assert site.look().messages == [("failing", 1), ("recovered", 2)]


def test_looking_again_at_the_same_changes_nothing():
    site = Site(policy={"after": 2}).run("FF")
    before = dict(site.states)

    site.look().look()

    assert (site.told, site.states) == (["failing"], before)


def test_the_past_of_a_job_that_is_judged_for_the_first_time_is_no_news():
    site = Site()
    site.history, site.number = [execution(number, letter) for number, letter in enumerate("FSFSS", 1)], 5

    site.run("F")

    assert site.messages == [("failing", 6)]


def test_failures_of_before_count_towards_the_threshold():
    site = Site(policy={"after": 3})
    site.history, site.number = [execution(number, "F") for number in (1, 2)], 2

    assert site.run("F").messages == [("failing", 3)]


def test_an_execution_that_began_earlier_and_ends_later_completes_the_row_of_failures():
    site = Site(policy={"after": 2})
    site.history = [execution(2, "F")]
    site.notices = [Notice(1, 2, 1, NoticeOf.FAILED, at(2))]
    site.look()

    site.history.insert(0, execution(1, "F"))
    site.notices = [Notice(2, 1, 1, NoticeOf.FAILED, at(3))]

    assert site.look().messages == [("failing", 2)]


def test_a_success_that_began_before_the_last_failure_is_no_recovery():
    site = Site()
    site.history = [execution(2, "F")]
    site.notices = [Notice(1, 2, 1, NoticeOf.FAILED, at(2))]
    site.look()

    site.history.insert(0, execution(1, "S"))
    site.number = 2

    assert site.look().told == ["failing"]
    assert site.run("S").told == ["failing", "recovered"]


@pytest.mark.parametrize("changes", [{"is_enabled": False}, {"policy": {"on": "none"}}, {"policy": {"on": "lost"}}])
def test_a_job_that_is_disabled_or_whose_alerts_are_switched_off_ends_in_silence(changes):
    site = Site().run("F")
    site.job = job(**changes)

    site.look()

    assert site.told == ["failing"]
    assert site.states[FAILING, "backup"].firing is False


def test_a_job_that_is_deleted_ends_in_silence():
    site = Site().run("FL")
    site.job = None

    site.look()

    assert site.told == ["failing", "lost"]
    assert not any(state.firing for state in site.states.values())


def test_of_what_is_switched_off_nothing_is_told_even_when_it_is_switched_on_again():
    site = Site(policy={"on": "none"}).run("FLFM")
    site.job = job(policy={"after": 9})

    assert site.run("SS").messages == []


@pytest.mark.parametrize(("letter", "word"), [("L", "lost"), ("M", "missed")])
def test_what_happens_is_told_once_until_a_success_clears_it_in_silence(letter, word):
    site = Site().run(letter * 3)
    assert site.told == [word]

    site.run("S")
    assert site.told == [word]

    assert site.run(letter).told == [word, word]


def test_what_happens_before_and_after_a_success_that_one_look_sees_is_told_twice():
    assert Site().run("LSL", look="once").told == ["lost", "lost"]


def test_a_state_is_not_written_for_nothing():
    found = Evidence(now=START, jobs={1: job()}, states={(FAILING, "backup"): State(version=3)})

    assert decide(found) == []
