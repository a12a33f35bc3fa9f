"""How many conversations there are, over HTTP."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from cronjobs import permissions
from cronjobs.api.errors import MongoNotConfigured
from cronjobs.api.requests.queries import Query, whole_number
from cronjobs.api.views import CronView
from cronjobs.conf import get_settings
from cronjobs.exceptions import InvalidSettings, MongoUnavailable
from cronjobs.jobs._mongodb import mongodb_configured
from cronjobs.jobs._values import MAX_MINUTES
from cronjobs.jobs.cleanup import get_legacy_conversation_stats


class LegacyConversationsView(CronView):
    """``GET stats/legacy-conversations?minutes=``: what ``conversation_stats --json`` says.

    409 where no MongoDB is configured, 503 where it does not answer: then nothing was counted.
    """

    permissions = (permissions.VIEW_EXECUTIONS,)

    def get(self, request: Request) -> Response:
        query = Query(request, known=("minutes",))
        minutes = query.read("minutes", whole_number(MAX_MINUTES), default=None)
        query.done()
        if not mongodb_configured():
            raise MongoNotConfigured("No MongoDB is configured: CRONJOBS['MONGODB_URI'] is not set.")
        try:
            return Response({"success": True, **_count(minutes)})
        except (ImportError, InvalidSettings) as error:
            raise MongoNotConfigured(str(error)) from error


def _count(minutes: int | None) -> dict[str, Any]:
    """Return the counts; raise `MongoUnavailable` for whatever MongoDB answers instead."""
    from cronjobs import documents

    try:
        return get_legacy_conversation_stats(minutes)
    except documents.MongoError as error:
        hosts = documents.describe_hosts(get_settings().mongodb_uri)
        raise MongoUnavailable(hosts, documents.reason_of(error)) from error
