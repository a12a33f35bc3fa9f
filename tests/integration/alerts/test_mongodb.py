"""A MongoDB server that is stopped and started again, for real."""

from __future__ import annotations

import pytest

from tests.integration.alerts.conftest import firing
from tests.servers import running_mongo

pytestmark = [pytest.mark.django_db, pytest.mark.mongo]


def test_mongodb_is_told_of_each_time_it_cannot_be_reached_and_when_it_can_again(look, settings, tmp_path):
    with running_mongo(tmp_path) as uri:
        settings.CRONJOBS = {"MONGODB_URI": uri, "MONGODB_TIMEOUT": 2}
        assert look() == []

    assert look() == ["mongodb_unreachable"]
    assert look() == ["mongodb_unreachable"]
    assert firing() == ["mongodb_unreachable"]

    with running_mongo(tmp_path) as uri:
        settings.CRONJOBS = {"MONGODB_URI": uri, "MONGODB_TIMEOUT": 2}
        assert look() == ["mongodb_unreachable", "mongodb_unreachable over"]
    assert firing() == []

    assert look() == ["mongodb_unreachable", "mongodb_unreachable over", "mongodb_unreachable"]
