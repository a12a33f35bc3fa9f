"""A node's sign of life to a monitor elsewhere."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from cronjobs.models import Job
from cronjobs.scheduler.heartbeat import Heartbeat
from cronjobs.scheduler.node import NodeProcess
from tests.receivers import answers, closed_address, receiving
from tests.servers import wait_for


def test_a_node_that_is_well_says_so_again_and_again(transactional_db, settings):
    Job.objects.update(schedule="")
    with receiving() as monitor:
        settings.CRONJOBS = {"HEARTBEAT_URL": f"{monitor.address}/abc", "HEARTBEAT_INTERVAL": 1}
        node = NodeProcess(workers=1)
        node.start()
        try:
            wait_for(lambda: len(monitor.received) >= 3)
        finally:
            node.stop(grace=timedelta(0))

    assert set(monitor.paths) == {"/abc"}


def test_hosts_for_pings_do_not_limit_it(settings):
    with receiving() as monitor:
        settings.CRONJOBS = {"HEARTBEAT_URL": f"{monitor.address}/abc", "PING_HOSTS": ["hc.example.com"]}
        Heartbeat(is_well=lambda: True)._beat()

    assert monitor.paths == ["/abc"]


def test_one_that_is_not_well_is_silent_and_looks_again_soon(settings):
    with receiving() as monitor:
        settings.CRONJOBS = {"HEARTBEAT_URL": f"{monitor.address}/abc"}
        assert Heartbeat(is_well=lambda: False)._beat() == 1

    assert monitor.received == []


def test_a_monitor_that_is_away_is_mentioned_once_and_tried_again(settings, caplog):
    settings.CRONJOBS = {"HEARTBEAT_URL": f"{closed_address()}/abc"}
    heartbeat = Heartbeat(is_well=lambda: True)
    with caplog.at_level(logging.INFO, logger="cronjobs"):
        assert heartbeat._beat() == 10
        assert heartbeat._beat() == 10

    assert caplog.text.count("The heartbeat was not taken") == 1
    assert "/abc" not in caplog.text

    with receiving(answers(200)) as monitor:
        settings.CRONJOBS = {"HEARTBEAT_URL": f"{monitor.address}/abc"}
        assert heartbeat._beat() == 60


@pytest.mark.django_db(transaction=True)
def test_a_node_whose_clock_stands_still_is_not_well():
    node = NodeProcess(workers=1)
    assert not node._is_well()

    node.run_once()
    assert node._is_well()
    node.clock.last_tick_at -= timedelta(minutes=1)
    assert not node._is_well()
    node.stop(grace=timedelta(0))
