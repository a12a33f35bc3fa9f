"""Attempts on Celery workers, on any machine: what a node hands to the broker, and what a worker does with it.

The broker carries no work, only the news that there is some: a message is the id of an
execution and the token of its dispatch. What counts is the row. A message that comes late,
twice, or from nowhere opens nothing; one that never comes is sent again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cronjobs.exceptions import InvalidSettings

if TYPE_CHECKING:
    from cronjobs.executors.celery.diagnosis import Diagnosis
    from cronjobs.executors.celery.publisher import Publisher

_NOT_INSTALLED: Final = "CRONJOBS['CELERY_APP'] is set, and Celery is not installed: pip install 'cronjobs[celery]'."


def make_publisher() -> Publisher:
    """Return what hands executions to the broker of CELERY_APP; raise `InvalidSettings` if that cannot be used."""
    try:
        # Celery is an extra: who has no CELERY_APP need not have it.
        from cronjobs.executors.celery.publisher import Publisher
    except ModuleNotFoundError as error:
        raise InvalidSettings(_NOT_INSTALLED) from error
    return Publisher()


def reach_broker() -> None:
    """Connect to the broker of CELERY_APP, and let go of it; raise what its driver raises if that does not answer."""
    try:
        from cronjobs.executors.celery.app import connect
    except ModuleNotFoundError as error:
        raise InvalidSettings(_NOT_INSTALLED) from error
    connect()


def make_diagnosis() -> Diagnosis:
    """Return what tells how CELERY_APP is set up; raise `InvalidSettings` if that cannot be used."""
    try:
        from cronjobs.executors.celery.diagnosis import Diagnosis
    except ModuleNotFoundError as error:
        raise InvalidSettings(_NOT_INSTALLED) from error
    return Diagnosis()
