"""`check --deploy` says what to think of before production, and only what is true of the site."""

from __future__ import annotations

import pytest
from django.db import connection

from tests.commands import run_command_process
from tests.integration.checks.conftest import found, ids, only
from tests.integration.checks.table import DEPLOYMENTS, SHARED_CACHE, SOUND_DEPLOYMENT

# Which database the tests run on is nobody's mistake.
DATABASE = {"cronjobs.W101"}


@pytest.fixture
def deployed(settings):
    """Let the project be one that has thought of everything, but for what is given."""

    def use(cronjobs=None, **others):
        settings.CACHES = SHARED_CACHE
        settings.CRONJOBS = {**SOUND_DEPLOYMENT, **(cronjobs or {})}
        for name, value in others.items():
            setattr(settings, name, value)

    return use


def test_a_site_that_has_thought_of_everything_is_told_nothing(deployed):
    deployed()

    assert ids(found(deploy=True)) <= DATABASE


@pytest.mark.parametrize(("identity", "changes", "others", "said"), DEPLOYMENTS)
def test_what_has_been_forgotten_is_said(deployed, identity, changes, others, said):
    deployed(changes, **others)

    messages = found(deploy=True)

    assert said in only(identity, messages).msg
    assert only(identity, messages).hint
    # It is a question for a deployment, and no mistake.
    assert identity not in ids(found())


def test_one_database_file_is_for_one_machine(deployed):
    deployed()
    expected = DATABASE if connection.vendor == "sqlite" else set()

    messages = found(deploy=True)

    assert ids(messages) == expected
    assert all("one machine" in each.hint for each in messages)


def test_limits_of_an_api_that_is_not_there_are_nobody_s_business(deployed, settings):
    deployed({"THROTTLES": {"refused": None}, "CACHE": "default"}, ROOT_URLCONF="tests.integration.checks.no_urls")

    assert ids(found(deploy=True)) <= DATABASE


def test_limits_that_are_all_off_need_no_cache(deployed):
    deployed({"THROTTLES": dict.fromkeys(("read", "write", "execute", "refused")), "CACHE": "default"})

    assert ids(found(deploy=True)) - DATABASE == {"cronjobs.W105"}


def test_alerts_of_a_single_job_are_alerts(deployed, declare):
    from cronjobs import AlertPolicy

    deployed({"ALERTS": {"ON": []}})
    declare("told-of", alerts=AlertPolicy(on=["failing"]))

    assert ids(found(deploy=True)) <= DATABASE


@pytest.mark.slow
@pytest.mark.sqlite_only
@pytest.mark.django_db
def test_the_demo_project_in_production_is_told_what_it_lacks(tmp_path):
    environment = {
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "DJANGO_SECRET_KEY": "k" * 20 + "0123456789abcdefghijklmnopqrstuvwxyz",
        "DJANGO_VAR_DIR": str(tmp_path),
        "DJANGO_DEBUG": "0",
        "DJANGO_ALLOWED_HOSTS": "ops.example.com",
        "DATABASE_URL": "",
        "MONGODB_URI": "",
        "CELERY_BROKER_URL": "",
        "CRONJOBS_EXECUTOR": "",
    }

    plain = run_command_process("check", "--fail-level", "WARNING", **environment)
    deployed = run_command_process("check", "--deploy", **environment)

    assert (plain.code, plain.err) == (0, "")
    said = {line.partition(")")[0].partition("(")[2] for line in deployed.err.splitlines() if "(cronjobs." in line}
    assert said == {f"cronjobs.{each}" for each in ("W101", "W103", "W104", "W106", "I101")}
    assert deployed.code == 0
