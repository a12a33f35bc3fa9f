"""What has been enqueued, and what a test is told that thought otherwise."""

from __future__ import annotations

import pytest

from cronjobs.exceptions import JobNotFound
from cronjobs.models import JobExecution
from cronjobs.registry import registry
from cronjobs.testing import assert_enqueued, assert_not_enqueued, enqueued, run_queued
from tests.integration.conftest import NOON

pytestmark = pytest.mark.django_db
LATER = NOON.replace(year=2090)


def test_what_waits_is_found_by_job_parameters_and_time():
    first = registry["succeeds"].enqueue(value={"a": [1, 2]})
    second = registry["succeeds"].enqueue(run_at=LATER)
    third = registry["noop"].enqueue()

    assert enqueued() == [first, second, third]
    assert enqueued("succeeds") == [first, second]
    assert enqueued("succeeds", params={"value": {"a": (1, 2)}}) == [first]
    assert enqueued(run_at="2090-01-15T12:00Z") == [second]
    assert assert_enqueued("succeeds", count=2) == [first, second]
    assert_not_enqueued("succeeds", params={"value": 7})


def test_what_has_been_performed_waits_no_more():
    registry["succeeds"].enqueue()
    run_queued()

    assert_not_enqueued("succeeds")


def failure(check, *args, **options):
    with pytest.raises(AssertionError) as caught:
        check(*args, **options)
    return str(caught.value)


def test_where_nothing_waits_that_is_said():
    assert failure(assert_enqueued, "succeeds") == "There is no execution of succeeds that waits. Nothing does."


def test_who_is_wrong_is_told_what_waits_instead():
    one = registry["succeeds"].enqueue(value=1)
    two = registry["leaks"].enqueue(password="hunter2", address="a", run_at=LATER)

    assert failure(assert_enqueued, "succeeds", params={"value": 2}, run_at=LATER) == (
        "There is no execution of succeeds with {'value': 2} for 2090-01-15T12:00:00+00:00 that waits. What waits:\n"
        f"  succeeds #{one.pk} with {{'value': 1}}\n"
        f"  leaks #{two.pk} with {{'address': 'a', 'password': '***'}}, for 2090-01-15T12:00:00+00:00"
    )


@pytest.mark.parametrize(("there", "said"), [(1, "1 execution"), (3, "3 executions")])
def test_a_wrong_number_is_told(there, said):
    registry["noop"].enqueue_many([{}] * there)

    assert failure(assert_enqueued, registry["noop"], count=2).startswith(
        f"There is {said} of noop that waits, and not 2. What waits:"
    )


def test_what_waits_and_should_not_is_told():
    row = registry["succeeds"].enqueue(value=1)

    assert failure(assert_not_enqueued, "succeeds", params={"value": 1}) == (
        f"An execution of succeeds with {{'value': 1}} waits:\n  succeeds #{row.pk} with {{'value': 1}}"
    )


def test_of_very_many_only_some_are_told():
    registry["noop"].enqueue_many([{}] * 25)

    lines = failure(assert_enqueued, "succeeds").splitlines()

    assert (len(lines), lines[-1]) == (22, "  and 5 more")
    assert len(failure(assert_not_enqueued, "noop").splitlines()) == 21


@pytest.mark.parametrize("check", [enqueued, assert_enqueued, assert_not_enqueued])
def test_a_job_that_there_is_not_is_an_error(check):
    with pytest.raises(JobNotFound):
        check("no-such-job")


def test_parameters_that_are_none_are_no_reason_to_stop():
    JobExecution.objects.filter(pk=registry["succeeds"].enqueue().pk).update(params=[1])

    assert enqueued("succeeds", params={"value": 1}) == []
