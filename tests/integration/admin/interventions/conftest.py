"""People who may either cancel or run again, and executions for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from cronjobs.models import JobExecution

SEES = "view_jobexecution"
# With one permission alone: who asks, and what is answered to cancelling and to running again.
PEOPLE = {
    "blind": (("cancel_jobexecution", "retry_jobexecution"), 403, 403),
    "canceller": ((SEES, "cancel_jobexecution"), 302, 403),
    "retrier": ((SEES, "retry_jobexecution"), 403, 302),
}


def client_of(role: str, users: Any) -> Client:
    """Return a browser in which one of `PEOPLE` has logged in."""
    client, granted = Client(), PEOPLE[role][0]
    user = users.objects.create_user(role, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="cronjobs", codename__in=granted))
    client.force_login(user)
    return client


@pytest.fixture
def canceller(django_user_model: Any) -> Client:
    return client_of("canceller", django_user_model)


@pytest.fixture
def retrier(django_user_model: Any) -> Client:
    return client_of("retrier", django_user_model)


@pytest.fixture
def make(
    make_job: Callable[..., Any], make_execution: Callable[..., JobExecution], make_node: Callable[..., Any]
) -> Callable[..., JobExecution]:
    """Make an execution of noop in a state."""
    make_job("noop")
    make_node()

    def make(status: str = "queued", **columns: Any) -> JobExecution:
        return make_execution("noop", status=status, **columns)

    return make
