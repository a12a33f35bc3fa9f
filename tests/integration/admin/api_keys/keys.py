"""Keys that are there, and what the forms of keys send."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.test import Client
from django.utils import timezone

from cronjobs.models import ApiKey
from tests.integration.admin.pages import KEYS

ADD = f"{KEYS}add/"
RIGHTS = ("view_apikey", "add_apikey", "change_apikey", "view_job")


def issue(user: Any, name: str = "deploy", actions: Collection[str] = ("view_job",), **options: Any) -> ApiKey:
    """Make a key of `user`; times that only happen to a key later may be among the options."""
    columns = {each: options.pop(each) for each in ("revoked_at", "last_used_at", "expires_at") if each in options}
    key, _ = ApiKey.objects.issue(user=user, name=name, actions=actions, **options)
    ApiKey.objects.filter(pk=key.pk).update(**columns)
    return ApiKey.objects.get(pk=key.pk)


def filled(client: Client, **values: Any) -> dict[str, Any]:
    """Return what the form for a new key sends if only `values` are typed into it."""
    form = client.get(ADD).context["adminform"].form
    expires = timezone.localtime(form.initial["expires_at"])
    given = {
        "name": "deploy",
        "actions": ["view_job"],
        "expires_at_0": f"{expires:%Y-%m-%d}",
        "expires_at_1": f"{expires:%H:%M:%S}",
        "key_prefix": form.initial["key_prefix"],
        **({"user": form.initial["user"]} if "user" in form.fields else {}),
    }
    return {**given, **values}


def changed(key: ApiKey, **values: Any) -> dict[str, Any]:
    """Return what the form of a key sends if `values` are changed in it."""
    at = key.expires_at and timezone.localtime(key.expires_at)
    given = {
        "name": key.name,
        "actions": sorted(key.allowed),
        "jobs": sorted(key.reach or ()),
        "expires_at_0": f"{at:%Y-%m-%d}" if at else "",
        "expires_at_1": f"{at:%H:%M:%S}" if at else "",
    }
    return {**given, **values}
