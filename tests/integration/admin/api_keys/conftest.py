"""Somebody who looks after keys of their own."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from tests.integration.admin.api_keys.keys import RIGHTS
from tests.integration.api.callers import grant


@pytest.fixture
def olive(django_user_model: Any) -> Any:
    """Somebody who may make keys, and see what jobs do."""
    user = django_user_model.objects.create_user("olive", is_staff=True)
    grant(user, *RIGHTS)
    return user


@pytest.fixture
def client(olive: Any) -> Client:
    """The browser of olive."""
    client = Client()
    client.force_login(olive)
    return client
