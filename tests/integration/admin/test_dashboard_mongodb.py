"""The dashboard says whether MongoDB answers, and does not wait for it."""

from __future__ import annotations

import socket

import pytest

from cronjobs.admin.dashboard import mongodb
from cronjobs.admin.dashboard.mongodb import forget_mongodb, mongodb_probe
from cronjobs.health import Status
from tests.integration.admin.pages import DASHBOARD, get, text_of


@pytest.fixture(autouse=True)
def _nobody_has_asked():
    forget_mongodb()
    yield
    forget_mongodb()


@pytest.fixture
def silent_server(settings):
    """A server that lets one connect and never says anything; yields its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        settings.CRONJOBS = {"MONGODB_URI": f"mongodb://ann:s3cret@127.0.0.1:{port}/app", "MONGODB_TIMEOUT": 1}
        yield port
        # While the server is still there.
        forget_mongodb()


def wait_for_the_answer():
    mongodb._answers.asking.join()


@pytest.mark.mongo
def test_one_that_answers_is_reachable(superuser, settings, mongo_server):
    settings.CRONJOBS = {"MONGODB_URI": mongo_server}
    mongodb_probe()
    wait_for_the_answer()

    assert "MongoDB Reachable" in text_of(get(superuser, DASHBOARD))


def test_the_page_does_not_wait_for_one_that_is_silent(superuser, make_node, silent_server):
    make_node()

    page = text_of(get(superuser, DASHBOARD))

    assert "MongoDB Asked not answered yet" in page
    assert mongodb._answers.asking.is_alive()


def test_whoever_looks_later_is_told_the_answer_without_the_password(superuser, silent_server):
    assert mongodb_probe() is None
    wait_for_the_answer()

    page = get(superuser, DASHBOARD)

    assert f"MongoDB at 127.0.0.1:{silent_server}" in page
    assert "s3cret" not in page
    assert "MongoDB Away" in text_of(page)


def test_many_who_look_ask_once(silent_server):
    mongodb_probe()
    asking = mongodb._answers.asking

    mongodb_probe()

    assert mongodb._answers.asking is asking


def test_a_question_that_stays_open_is_an_answer(silent_server):
    mongodb_probe()
    mongodb._answers.asked_at -= 60

    assert mongodb_probe().status == Status.FAILED
