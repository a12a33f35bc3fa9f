"""Dependencies that could never be met are said to be so: by the system check, and by the job's form."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from cronjobs import job
from cronjobs.checks import check_dependencies, check_job_dependencies
from cronjobs.models import Job
from cronjobs.registry import registry
from tests.integration.admin.conftest import operator  # noqa: F401 - a fixture
from tests.integration.admin.test_job_form import error_on, save

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_else(db):
    Job.objects.all().delete()


@pytest.fixture
def define():
    names = []

    def make(name, depends_on):
        job(name, depends_on=depends_on)(lambda context: None)
        names.append(name)

    yield make
    for name in names:
        registry.remove(name)


def messages(found):
    return [(each.id, each.obj, each.msg, each.hint) for each in found]


def test_definitions_that_can_run_are_fine(define):
    define("extract", "")
    define("load", "extract")

    assert check_dependencies() == []


def test_a_definition_that_depends_on_nobody_known_is_warned_about(define):
    define("extract", "")
    define("load", "extrakt")

    [(identity, obj, message, hint)] = messages(check_dependencies())

    assert (identity, obj) == ("cronjobs.W007", "load")
    assert message == "load depends on other jobs: There is no job named 'extrakt'. Did you mean 'extract'?"
    assert "somebody makes in the admin" in hint


def test_definitions_in_a_circle_are_warned_about(define):
    define("a", "b")
    define("b", "a:always")

    found = messages(check_dependencies())

    assert [obj for _, obj, _, _ in found] == ["a", "b"]
    assert found[0][2] == "a depends on other jobs: a would wait for itself: a after b after a."
    assert "name jobs that do not wait for this one" in found[0][3]


def test_rows_are_checked_where_the_database_is(make_job):
    make_job("noop", name="extract")
    make_job("noop", name="load", depends_on="extract, load")

    [(identity, obj, message, hint)] = messages(check_job_dependencies(databases=["default"]))

    assert (identity, obj) == ("cronjobs.W008", "load")
    assert message == "Job load depends on other jobs: load would wait for itself: load after load."
    assert "on the job's page" in hint
    assert check_job_dependencies(databases=[]) == []


def test_the_form_takes_what_can_run_and_names_what_cannot(operator, make_job):  # noqa: F811 - the fixture
    make_job("noop", name="extract")
    make_job("noop", name="other")
    load = make_job("noop", name="load", depends_on="extract")
    make_job("noop", name="report", depends_on="load")

    refused = save(operator, load, depends_on="report")
    assert error_on(refused, "depends_on") == "load would wait for itself: load after report after load."
    assert "whose executions never meet" in error_on(save(operator, load, depends_on="extract, other"), "depends_on")
    assert "Did you mean 'extract'?" in error_on(save(operator, load, depends_on="extrac"), "depends_on")

    assert save(operator, load, depends_on="other:always").status_code == 302
    load.refresh_from_db()
    assert load.depends_on == "other:always"


def test_what_a_definition_says_does_not_keep_a_row_from_being_saved(define, make_job):
    define("load", "ghost")
    job = make_job("load", depends_on=None)

    job.full_clean()

    job.depends_on = "spectre"
    with pytest.raises(ValidationError, match="'spectre'"):
        job.full_clean()
