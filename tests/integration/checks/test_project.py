"""What the project gives the app to work with, its database, log and URLs, is looked at before anything runs."""

from __future__ import annotations

import logging
import sys
import types

import pytest
from django.db import connection
from django.urls import include, path
from django.views.generic import RedirectView

from cronjobs.checks import check_engine_database, check_log, check_mount, check_routers
from tests.commands import run_command_process


@pytest.fixture
def mount(settings, monkeypatch):
    """Let the project's URLs be these."""

    def use(*patterns):
        module = types.ModuleType("mounted_urls")
        module.urlpatterns = list(patterns)
        monkeypatch.setitem(sys.modules, "mounted_urls", module)
        settings.ROOT_URLCONF = "mounted_urls"

    return use


@pytest.fixture
def log():
    """The app's logger, as it was before."""
    logger = logging.getLogger("cronjobs")
    before = logger.handlers[:], logger.propagate, logger.disabled
    yield logger
    logger.handlers[:], logger.propagate, logger.disabled = before


API = path("cron/", include("cronjobs.api.urls"))
PAGE = path("page/", RedirectView.as_view(url="/"))


def test_a_database_that_the_engine_cannot_use_is_an_error(monkeypatch):
    monkeypatch.setattr(connection, "vendor", "oracle")

    (message,) = check_engine_database()

    assert message.id == "cronjobs.E006"
    assert message.is_serious()
    assert "PostgreSQL" in message.hint


@pytest.mark.parametrize(
    ("zone", "is_wrong"), [("Europe/Berlin", True), ("UTC", False), (None, False)], ids=["berlin", "utc", "none"]
)
def test_a_database_whose_times_are_not_in_utc_is_an_error(monkeypatch, zone, is_wrong):
    monkeypatch.setitem(connection.settings_dict, "TIME_ZONE", zone)
    # PostgreSQL knows of what zone a time is.
    expected = ["cronjobs.E007"] if is_wrong and connection.vendor != "postgresql" else []

    messages = check_engine_database()

    assert [each.id for each in messages] == expected
    assert all(each.is_serious() and each.hint for each in messages)


@pytest.mark.sqlite_only
def test_a_database_in_memory_is_nobody_else_s(monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "NAME", ":memory:")

    (message,) = check_engine_database()

    assert message.id == "cronjobs.W029"
    assert message.hint


@pytest.mark.parametrize(
    ("pool", "size"),
    [(True, 4), ({"min_size": 2}, 2), ({"max_size": 10}, 10), ({"max_size": 15}, None), (False, None)],
    ids=["default", "least", "most", "enough", "none"],
)
def test_a_pool_that_is_too_small_for_a_node_is_found(monkeypatch, pool, size):
    monkeypatch.setattr(connection, "vendor", "postgresql")
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", {"pool": pool})

    messages = check_engine_database()

    assert [each.id for each in messages] == (["cronjobs.W028"] if size else [])
    assert all(f"has {size} connections, and a node uses up to 15" in each.msg and each.hint for each in messages)


def test_a_router_for_reading_keeps_nothing_apart(settings):
    settings.DATABASE_ROUTERS = ["tests.app.routers.ReadFromReplica"]

    assert check_routers() == []


def test_a_log_that_is_disabled_is_found(log):
    log.disabled = True

    (message,) = check_log()

    assert message.id == "cronjobs.W030"
    assert message.msg.startswith("The log of cronjobs is disabled: ")
    assert "disable_existing_loggers" in message.hint


def test_a_log_that_nobody_writes_is_found(log):
    log.handlers[:] = [logging.NullHandler()]
    log.propagate = False

    (message,) = check_log()

    assert "NullHandler" in message.msg


def test_a_log_that_a_command_keeps_quiet_for_itself_is_fine():
    from cronjobs.management.arguments import quiet_log

    with quiet_log():
        assert check_log() == []


@pytest.mark.parametrize(
    ("patterns", "said"),
    [
        ([path("", include("cronjobs.api.urls")), PAGE], "included without a prefix"),
        ([path("", include([path("", include("cronjobs.api.urls"))])), PAGE], "included without a prefix"),
        ([path("cron", include("cronjobs.api.urls"))], "its addresses are such as /cronstatus"),
        ([path("ops/", include([path("cron", include("cronjobs.api.urls"))]))], "such as /ops/cronstatus"),
    ],
    ids=["first", "nested", "no-slash", "nested-no-slash"],
)
def test_an_api_that_is_mounted_by_mistake_is_found(mount, patterns, said):
    mount(*patterns)

    (message,) = check_mount()

    assert message.id == "cronjobs.W034"
    assert said in message.msg
    assert message.hint


@pytest.mark.parametrize(
    "patterns",
    [[API, PAGE], [PAGE, path("", include("cronjobs.api.urls"))], [PAGE]],
    ids=["usual", "last", "without"],
)
def test_an_api_that_hides_nothing_is_fine(mount, patterns):
    mount(*patterns)

    assert check_mount() == []


@pytest.mark.parametrize("name", ["no_such_urls", ""])
def test_urls_that_cannot_be_imported_are_told_of_by_django(settings, name):
    settings.ROOT_URLCONF = name

    assert check_mount() == []


def test_users_that_are_not_installed_are_told_of_by_django(settings):
    settings.AUTH_USER_MODEL = "nobody.User"

    assert check_routers() == []


@pytest.mark.slow
@pytest.mark.sqlite_only
@pytest.mark.django_db
def test_a_site_without_pages_and_letters_needs_no_templates(tmp_path):
    (tmp_path / "without.py").write_text(
        "from tests.settings import *\n"
        "INSTALLED_APPS = [each for each in INSTALLED_APPS if each != 'django.contrib.admin']\n"
        "TEMPLATES, MIDDLEWARE, ROOT_URLCONF = [], [], 'tests.integration.checks.no_urls'\n"
    )

    _, err, code = run_command_process("check", DJANGO_SETTINGS_MODULE="without", PYTHONPATH=str(tmp_path))

    assert (code, err) == (0, "")


@pytest.mark.slow
@pytest.mark.sqlite_only
@pytest.mark.django_db
def test_without_the_app_that_keeps_the_clock_every_command_ends_with_a_sentence(tmp_path):
    (tmp_path / "without.py").write_text(
        "from tests.settings import *\nINSTALLED_APPS = [each for each in INSTALLED_APPS if each != 'django_apscheduler']\n"
    )

    _, err, code = run_command_process("check", DJANGO_SETTINGS_MODULE="without", PYTHONPATH=str(tmp_path))

    assert code == 1
    assert err.splitlines()[-1].endswith("add 'django_apscheduler' to INSTALLED_APPS.")
