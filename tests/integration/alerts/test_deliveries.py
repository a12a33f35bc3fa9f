"""Whom an alert goes to, and that it is one alert however many look, and whatever breaks."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection, connections

from cronjobs import AlertPolicy
from cronjobs.alerting import looks
from cronjobs.alerting.composing import compose
from cronjobs.alerting.decisions import decide
from cronjobs.alerting.looks import look_around, take_turn
from cronjobs.alerting.reading import gather
from cronjobs.alerting.writing import write
from cronjobs.checks import check_recipients
from cronjobs.database import read_clock
from cronjobs.executors.inline import run_inline
from cronjobs.models import Alert, AlertDelivery, AlertNotice, AlertState, Job
from tests.integration.alerts.conftest import firing, told

pytestmark = pytest.mark.django_db(transaction=True)
NOTIFIERS = {name: {"CLASS": "webhook", "URL": f"https://{name}.example.com"} for name in ("chat", "ops", "pager")}


@pytest.fixture(autouse=True)
def _notifiers(settings):
    settings.CRONJOBS = {"NOTIFIERS": NOTIFIERS}


def deliveries():
    return sorted(AlertDelivery.objects.values_list("notifier", flat=True))


@pytest.mark.parametrize(
    ("wanted", "notifiers"),
    [
        ((None, None), ["chat", "ops", "pager"]),
        ((None, ["ops"]), ["ops"]),
        ((None, []), []),
        (("chat, pager", ["ops"]), ["chat", "pager"]),
        (("none", None), []),
        (("chat, gone", None), ["chat"]),
    ],
)
def test_an_alert_goes_to_whom_the_job_says_or_else_the_settings(make_job, look, settings, wanted, notifiers):
    by_job, by_settings = wanted
    settings.CRONJOBS = {"NOTIFIERS": NOTIFIERS, "ALERTS": {"TO": by_settings}}
    make_job("fails", alert_to=by_job)
    run_inline("fails")

    assert look() == ["failing fails"]

    assert deliveries() == notifiers
    assert {(each.status, each.attempts) for each in AlertDelivery.objects.all()} <= {("pending", 0)}
    assert all(each.due_at == each.alert.created_at for each in AlertDelivery.objects.select_related("alert"))


def test_without_notifiers_what_is_wrong_is_kept_and_nothing_is_to_be_sent(make_job, look, settings):
    settings.CRONJOBS = {}
    make_job("fails")
    run_inline("fails")

    assert (look(), firing(), deliveries()) == (["failing fails"], ["failing fails"], [])


def test_of_an_end_only_those_are_told_who_were_told_of_its_beginning(make_job, look, settings):
    settings.CRONJOBS = {"NOTIFIERS": {"ops": NOTIFIERS["ops"]}}
    make_job("fails", name="backup")
    run_inline("backup")
    look()
    settings.CRONJOBS = {"NOTIFIERS": NOTIFIERS}
    Job.objects.update(definition="succeeds")
    run_inline("backup")

    assert look() == ["failing backup", "failing backup over"]
    assert deliveries() == ["ops", "ops"]


def test_of_an_end_whose_beginning_is_kept_no_more_all_are_told(make_job, look):
    make_job("fails", name="backup")
    run_inline("backup")
    look()
    Alert.objects.all().delete()
    Job.objects.update(definition="succeeds")
    run_inline("backup")

    assert (look(), deliveries()) == (["failing backup over"], ["chat", "ops", "pager"])


def test_a_definition_says_whom_to_tell(look, define):
    def breaks(context):
        raise RuntimeError("boom")

    name = define(breaks, alerts=AlertPolicy(to=["ops"], after=2))
    run_inline(name)
    assert look() == []
    run_inline(name)

    assert (look(), deliveries()) == (["failing breaks"], ["ops"])


def test_w011_naming_a_notifier_that_is_not_there_is_a_warning(settings, define):
    def breaks(context):
        raise RuntimeError("boom")

    define(breaks, alerts=AlertPolicy(to="ops, nobody"))
    settings.CRONJOBS = {"NOTIFIERS": NOTIFIERS, "ALERTS": {"TO": ["opps"]}}

    warning, other = check_recipients()

    assert {warning.id, other.id} == {"cronjobs.W011"}
    assert other.msg.startswith("Job 'breaks': CRONJOBS['NOTIFIERS'] has no 'nobody'.")
    assert warning.msg == "CRONJOBS['ALERTS']['TO']: CRONJOBS['NOTIFIERS'] has no 'opps'. Did you mean 'ops'?"


@pytest.fixture
def elsewhere():
    """Run functions on other connections."""
    with ThreadPoolExecutor(4) as pool:
        barrier = threading.Barrier(4)
        yield pool
        for done in [pool.submit(lambda: (barrier.wait(60), connections.close_all())) for _ in range(4)]:
            done.result()


def test_of_many_who_look_at_the_same_moment_each_alert_is_told_by_one(make_job, elsewhere):
    for number in range(20):
        make_job("fails", name=f"job-{number}")
        run_inline(f"job-{number}")
    barrier = threading.Barrier(4)

    def look():
        barrier.wait(60)
        look_around(read_clock("default"))

    for done in [elsewhere.submit(look) for _ in range(4)]:
        done.result()
    look_around(read_clock("default"))

    assert sorted(told()) == sorted(f"failing job-{number}" for number in range(20))
    assert AlertDelivery.objects.count() == 60
    assert AlertNotice.objects.count() == 0


def read(now):
    """Look, and return what writes what was decided."""
    found = gather(now)
    notices = {}
    for each in found.notices:
        notices.setdefault(each.job_id or 0, []).append(each.pk)
    drafts = compose(found, decide(found))
    return lambda: write(drafts, notices, now=now)


def test_whoever_read_before_another_wrote_writes_nothing(make_job):
    make_job("fails")
    run_inline("fails")
    now = read_clock("default")
    first, second = read(now), read(now)

    assert (first(), second()) == (1, 0)

    assert (told(), deliveries()) == (["failing fails"], ["chat", "ops", "pager"])


def test_a_failure_that_comes_while_another_tells_of_the_recovery_is_not_forgotten(make_job):
    make_job("fails")
    run_inline("fails")
    look_around(read_clock("default"))
    Job.objects.filter(name="fails").update(definition="succeeds")
    run_inline("fails")
    recovery = read(read_clock("default"))
    Job.objects.filter(name="fails").update(definition="fails")
    run_inline("fails")
    failure = read(read_clock("default"))

    assert (recovery(), failure()) == (1, 0)
    assert AlertNotice.objects.count() == 1
    look_around(read_clock("default"))

    assert told() == ["failing fails", "failing fails over", "failing fails"]


def test_a_crash_before_the_commit_leaves_everything_to_the_next_look(make_job, monkeypatch):
    make_job("fails")
    run_inline("fails")

    def crash(*arguments, **options):
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr("django.db.models.query.QuerySet.bulk_create", crash)
        with pytest.raises(SystemExit):
            look_around(read_clock("default"))
    assert (told(), firing(), AlertNotice.objects.count()) == ([], [], 1)

    look_around(read_clock("default"))

    assert (told(), len(deliveries())) == (["failing fails"], 3)


def test_an_alert_is_decided_while_the_node_that_had_it_is_long_gone(make_job):
    make_job("fails")
    run_inline("fails")

    look_around(read_clock("default") + timedelta(days=1))

    assert told() == ["failing fails"]


def test_of_all_nodes_one_looks_in_each_interval(transactional_db, settings):
    settings.CRONJOBS = {"ALERTS": {"INTERVAL": 10}}
    start = read_clock("default")

    turns = [take_turn(start + timedelta(seconds=seconds)) for seconds in (0, 1, 8, 9.5, 10, 18, 19)]

    assert turns == [True, False, False, True, False, False, True]


def test_a_clock_that_was_set_back_stops_nobody_from_looking(transactional_db):
    now = read_clock("default")
    take_turn(now + timedelta(days=1))

    assert take_turn(now) is True


def test_a_look_takes_no_lock_while_it_reads(make_job, monkeypatch):
    make_job("fails")
    run_inline("fails")
    seen = []
    decided = looks.decide

    def decide_and_see(found):
        seen.append(connection.in_atomic_block)
        return decided(found)

    monkeypatch.setattr(looks, "decide", decide_and_see)
    look_around(read_clock("default"))

    assert seen == [False]
    assert AlertState.objects.count() == 1
    assert Alert.objects.count() == 1


def test_what_cannot_be_written_holds_up_nothing_else(make_job, caplog):
    for name in ("first", "second", "third"):
        make_job("fails", name=name)
        run_inline(name)
    now = read_clock("default")
    found = gather(now)
    notices = {each.job_id: [each.pk] for each in found.notices}
    first, culprit, third = compose(found, decide(found))
    # No database takes it for JSON.
    culprit = replace(culprit, facts=({"number": float("nan")},))

    assert write([first, culprit, third], notices, now=now) == 2

    assert sorted(told()) == sorted(f"failing {each.change.subject}" for each in (first, third))
    assert list(AlertNotice.objects.values_list("job_name", flat=True)) == [culprit.change.subject]
    assert "be told of 1 subjects cannot be written" in caplog.text
