"""An installation with a row of each kind, and the doors by which people and programs change it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.test import Client
from django.urls import resolve

from cronjobs.database import DatabaseNow
from cronjobs.management.arguments import who
from cronjobs.models import ApiKey, Calendar, Job, JobExecution, Node, Queue
from cronjobs.models.queue import EVERYTHING
from cronjobs.permissions import KEY_ACTIONS
from cronjobs.security import ActorKind
from tests.commands import run_command
from tests.integration.admin.test_job_form_posts import Inputs

ADDRESS = "203.0.113.9"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The two clients of a superuser, and the ids of rows by the names that addresses have for them."""

    admin: Client
    api: Client
    key: ApiKey
    other: ApiKey
    ids: dict[str, Any]


def make_site(users: Any) -> Site:
    """Make the rows and the user."""
    user = users.objects.create_superuser("sue")
    key, text = ApiKey.objects.issue(user=user, name="of a program", actions=KEY_ACTIONS)
    other, _ = ApiKey.objects.issue(user=user, name="other", actions=["view_job"])
    admin = Client(REMOTE_ADDR=ADDRESS)
    admin.force_login(user)
    api = Client(REMOTE_ADDR=ADDRESS, headers={"Authorization": f"Bearer {text}"})
    rows = {**_jobs(), **_executions(), **_queues(), "node": _node("web-1"), "drains": _node("web-2", drains=True)}
    rows |= {"calendar": Calendar.objects.create(name="holidays"), "other": other}
    return Site(admin=admin, api=api, key=key, other=other, ids={name: row.pk for name, row in rows.items()})


def _jobs() -> dict[str, Any]:
    Job.objects.all().delete()
    states = {"report": {}, "paused": {"paused": True}, "disabled": {"enabled": False}}
    return {
        name: Job.objects.create(name=name, definition="noop", schedule="@daily", **columns)
        for name, columns in states.items()
    }


def _executions() -> dict[str, Any]:
    ended, waiting = (JobExecution.objects.request("report") for _ in range(2))
    JobExecution.objects.filter(pk=ended.pk).update(status="failed")
    return {"ended": ended, "waiting": waiting}


def _queues() -> dict[str, Any]:
    Queue.objects.ensure([EVERYTHING, "heavy", "closed"])
    Queue.objects.filter(name="closed").update(paused=True)
    names = {"everything": EVERYTHING, "heavy": "heavy", "closed": "closed"}
    return {name: Queue.objects.get(name=stored) for name, stored in names.items()}


def _node(name: str, *, drains: bool = False) -> Node:
    now = DatabaseNow()
    times = {"started_at": now, "heartbeat_at": now, "last_tick_at": now}
    return Node.objects.create(name=name, pid=1, workers=1, drain_requested_at=now if drains else None, **times)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """Something that is done by one of the doors: what does it, and who is told to have done what."""

    perform: Callable[[Site], Any]
    kind: ActorKind
    # The address, with names of ids in it; of a command, its name.
    where: str

    def action(self, site: Site) -> str:
        """Return the name of what was asked for."""
        if self.kind == ActorKind.SHELL:
            return self.where
        match = resolve(self.where.format(**site.ids))
        return match.view_name if self.kind == ActorKind.SESSION else str(match.url_name)

    def actor(self, site: Site) -> dict[str, str]:
        """Return who is to be named in the log."""
        if self.kind == ActorKind.SHELL:
            return {"actor": who(), "key_prefix": "", "address": ""}
        key = site.key.label if self.kind == ActorKind.KEY else ""
        name = "" if self.kind == ActorKind.NOBODY else "sue"
        return {"actor": name, "key_prefix": key, "address": ADDRESS}


def api(method: str, path: str, **body: Any) -> Deed:
    """A request with the key."""
    where = f"/cron/{path}"

    def perform(site: Site) -> Any:
        data = json.dumps(body) if body else b""
        return getattr(site.api, method)(where.format(**site.ids), data, content_type="application/json")

    return Deed(perform=perform, kind=ActorKind.KEY, where=where)


def nobody(path: str, *, times: int = 1) -> Deed:
    """Requests of somebody who is not let in."""
    where = f"/cron/{path}"

    def perform(_site: Site) -> Any:
        return [Client(REMOTE_ADDR=ADDRESS).get(where) for _ in range(times)]

    return Deed(perform=perform, kind=ActorKind.NOBODY, where=where)


def admin(path: str, **data: Any) -> Deed:
    """A form that is posted to a page of the admin, as it is given here."""
    where = f"/admin/cronjobs/{path}"

    def perform(site: Site) -> Any:
        posted = {name: value.format(**site.ids) for name, value in data.items()}
        return site.admin.post(where.format(**site.ids), posted)

    return Deed(perform=perform, kind=ActorKind.SESSION, where=where)


def form(path: str, **changes: Any) -> Deed:
    """The form of a page of the admin, with these changes and otherwise as it is shown."""
    where = f"/admin/cronjobs/{path}"

    def perform(site: Site) -> Any:
        url = where.format(**site.ids)
        inputs = Inputs()
        (shown_form,) = re.findall(
            r'<form[^>]*id="\w+_form".*?</form>', site.admin.get(url).content.decode(), re.DOTALL
        )
        inputs.feed(shown_form)
        shown = {name: value.removeprefix("\n") for name, value in inputs.data.items()}
        return site.admin.post(url, {**shown, **changes})

    return Deed(perform=perform, kind=ActorKind.SESSION, where=where)


def action(name: str, model: str, row: str) -> Deed:
    """An action of a list of the admin, with one row, of which that page asks whether it is meant."""
    return admin(f"{model}/", action=name, index="0", post="yes", _selected_action=f"{{{row}}}")


def shell(command: str, *arguments: str) -> Deed:
    """A command."""

    def perform(site: Site) -> Any:
        outcome = run_command(command, *(each.format(**site.ids, label=site.other.label) for each in arguments))
        assert outcome.code == 0, outcome
        return outcome

    return Deed(perform=perform, kind=ActorKind.SHELL, where=command)
