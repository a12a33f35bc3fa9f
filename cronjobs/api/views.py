"""What every address of the API has in common; each view names the permission it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from django.db import connections, transaction
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from cronjobs.api.errors import NoSuchAddress, handle_error
from cronjobs.api.rendering import JSONOnly, StrictJSONRenderer, Unparsed
from cronjobs.api.requests.access import AUTHENTICATION, HasAnyPermission
from cronjobs.api.requests.guards import GuardedView


class CronView(GuardedView):
    """What every view has in common, fixed here so that no setting of the project opens or breaks it."""

    renderer_classes = (StrictJSONRenderer,)
    parser_classes = (Unparsed,)
    content_negotiation_class = JSONOnly
    authentication_classes: Sequence[type[BaseAuthentication]] = AUTHENTICATION
    permission_classes: Sequence[type[BasePermission]] = (HasAnyPermission,)
    versioning_class = None
    # A description of the project's own leaves these addresses out: theirs is at `schema`.
    schema = None
    http_method_names: Sequence[str] = ("get", "head", "post")

    # Any of them lets a user in.
    permissions: ClassVar[tuple[str, ...]] = ()
    # And those that a method other than GET and HEAD takes instead.
    permissions_by_method: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    # Whether it keeps a key that is limited to some jobs within them; to others it is closed.
    takes_limited_keys: ClassVar[bool] = False

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        # ATOMIC_REQUESTS would hide the row that a node is to perform until the answer is sent.
        view = super().as_view(**initkwargs)
        for alias in connections:
            view = transaction.non_atomic_requests(using=alias)(view)
        return view

    def get_exception_handler(self) -> Callable[..., Response]:
        return handle_error

    @property
    def default_response_headers(self) -> dict[str, str]:
        return {**super().default_response_headers, "Cache-Control": "no-store"}


class NoView(CronView):
    """Every other address below that of the API: there is nothing there, whoever asks and by whatever method."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise NoSuchAddress
