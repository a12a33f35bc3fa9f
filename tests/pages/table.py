"""The table of all pages. Whoever adds a page adds its line here, and it is tested with the others.

`{names}` are those of the rows that `tests.pages.rows` makes. `tests/integration/admin/test_page_table.py` says
which page is missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.test import Client

from tests.pages.rows import SUPERUSER, VIEWER

ADMIN = "/admin/cronjobs/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Something to look at: what answers to `path` for `user`, or to posting `data` there."""

    name: str
    path: str
    user: str = SUPERUSER
    data: Mapping[str, Any] | None = None

    @property
    def url(self) -> str:
        """The address, from the root of the site."""
        return ADMIN + self.path


@dataclass(frozen=True, slots=True)
class Rows:
    """The table's cells, filled in with the rows that there are."""

    ids: Mapping[str, Any]
    clients: dict[str, Client] = field(default_factory=dict)

    def pages(self) -> Iterator[Page]:
        """Yield every page of the table."""
        for name, path in GET.items():
            yield Page(name=name, path=self._filled(path))
        for name, path in GET_AS_VIEWER.items():
            yield Page(name=name, path=self._filled(path), user=VIEWER)
        yield from self._posts(POST)

    def texts(self) -> Iterator[Page]:
        """Yield what else there is to read: messages, and what scripts put into pages."""
        for name, path in FRAGMENTS.items():
            yield Page(name=name, path=self._filled(path))
        yield from self._posts(MESSAGES)

    def answer(self, page: Page) -> str:
        """Return a page's source."""
        client = self.client(page.user)
        response = client.get(page.url) if page.data is None else client.post(page.url, page.data, follow=True)
        assert response.status_code == 200, (page.name, response)
        return response.content.decode()

    def client(self, user: str) -> Client:
        """Return a browser in which `user` has logged in."""
        if user not in self.clients:
            self.clients[user] = Client()
            self.clients[user].force_login(self.ids[user])
        return self.clients[user]

    def session(self, user: str) -> str:
        """Return the value of the cookie by which `user` is known."""
        return str(self.client(user).cookies[settings.SESSION_COOKIE_NAME].value)

    def _posts(self, table: Mapping[str, tuple[str, Mapping[str, Any]]]) -> Iterator[Page]:
        for name, (path, data) in table.items():
            filled = {key: self._filled_value(value) for key, value in data.items()}
            yield Page(name=name, path=self._filled(path), data=filled)

    def _filled(self, text: str) -> str:
        return text.format(**self.ids)

    def _filled_value(self, value: str | list[str]) -> str | list[str]:
        return self._filled(value) if isinstance(value, str) else [self._filled(each) for each in value]


# What a superuser, who may do everything, sees.
GET = {
    "index": "",
    "dashboard": "dashboard/",
    "jobs": "job/",
    "jobs, searched and filtered": "job/?q=a&enabled__exact=1",
    "jobs, none found": "job/?q=no-such-thing",
    "job": "job/{job}/change/",
    "job that depends on others": "job/{dependent}/change/",
    "broken job": "job/{broken}/change/",
    "new job": "job/add/",
    "run now, with parameters": "job/{asking}/run/",
    "run now, with fixed parameters": "job/{job}/run/",
    "run now, of a broken job": "job/{broken}/run/",
    "history of a job": "job/{job}/history/",
    "delete a job": "job/{job}/delete/",
    "defaults of a job": "job/{job}/defaults/",
    "executions": "jobexecution/",
    "executions, filtered": "jobexecution/?status__exact=failed&recorded=week&trigger__exact=schedule",
    "executions of a day": "jobexecution/?date=2026-01-15",
    "executions, older": "jobexecution/?before={running}&q=boom",
    "execution that failed": "jobexecution/{failed}/change/",
    "execution that runs": "jobexecution/{running}/change/",
    "execution that waits": "jobexecution/{queued}/change/",
    "execution that was missed": "jobexecution/{missed}/change/",
    "execution of a flow": "jobexecution/{member}/change/",
    "second page of a log": "jobexecution/{gone}/change/?log=2",
    "history of an execution": "jobexecution/{failed}/history/",
    "cancel": "jobexecution/{running}/cancel/",
    "nodes": "node/",
    "node": "node/{node}/change/",
    "history of a node": "node/{node}/history/",
    "drain a node": "node/{node}/drain/",
    "Celery workers": "celeryworker/",
    "Celery worker": "celeryworker/{worker}/change/",
    "Celery worker that is dead": "celeryworker/{dead_worker}/change/",
    "history of a Celery worker": "celeryworker/{worker}/history/",
    "execution that waits for a Celery worker": "jobexecution/{dispatched}/change/",
    "queues": "queue/",
    "queue": "queue/{queue}/change/",
    "all queues": "queue/{everything}/change/",
    "new queue": "queue/add/",
    "history of a queue": "queue/{queue}/history/",
    "delete a queue": "queue/{queue}/delete/",
    "calendars": "calendar/",
    "calendar": "calendar/{calendar}/change/",
    "history of a calendar": "calendar/{calendar}/history/",
    "new calendar": "calendar/add/",
    "keys": "apikey/",
    "key": "apikey/{key}/change/",
    "revoked key": "apikey/{revoked}/change/",
    "new key": "apikey/add/",
    "history of a key": "apikey/{key}/history/",
    "revoke a key": "apikey/{key}/revoke/",
    "audit": "auditentry/",
    "audit, filtered": "auditentry/?past=week&outcome__exact=refused&before=999999999",
    "audit entry": "auditentry/{entry}/change/",
    "history of an audit entry": "auditentry/{entry}/history/",
    "alerts": "alert/",
    "alerts, filtered": "alert/?past=week&kind__exact=failing&is_resolution__exact=0",
    "alert": "alert/{alert}/change/",
    "alert of a node": "alert/{node_alert}/change/",
    "history of an alert": "alert/{alert}/history/",
}
# What scripts put into pages: no pages themselves.
FRAGMENTS = {
    "preview": "job/preview/?job={job}&definition=succeeds&schedule=30+2+*+*+*&time_zone=Europe/Berlin&enabled=on",
    "preview of a mistake": "job/preview/?job={job}&definition=succeeds&schedule=61+*+*+*+*&enabled=on",
    "preview of days off": "job/preview/?job={with-calendar}&definition=noop&schedule=@daily&enabled=on&calendar={calendar}",
}
# What somebody sees who may look at everything and change nothing.
GET_AS_VIEWER = {
    "dashboard, for a viewer": "dashboard/",
    "jobs, for a viewer": "job/",
    "job, for a viewer": "job/{job}/change/",
    "broken job, for a viewer": "job/{broken}/change/",
    "executions, for a viewer": "jobexecution/",
    "execution that failed, for a viewer": "jobexecution/{failed}/change/",
    "execution that runs, for a viewer": "jobexecution/{running}/change/",
    "nodes, for a viewer": "node/",
    "node, for a viewer": "node/{node}/change/",
    "Celery workers, for a viewer": "celeryworker/",
    "Celery worker, for a viewer": "celeryworker/{worker}/change/",
    "queue, for a viewer": "queue/{queue}/change/",
}
# What is answered to a form: mistakes and questions.
POST: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "job with mistakes": (
        "job/{job}/change/",
        {
            "definition": "succeeds",
            "schedule": "61 * * * *",
            "on_demand": "on",
            "time_zone": "Nenie",
            "params": "[NaN]",
            "paused_until_0": "2030-01-01",
            "paused_until_1": "10:00",
            "max_instances": "0",
            "rate_limit": "multaj",
            "memory_limit": "multe",
            "depends_on": "x-mem,, x-ne",
        },
    ),
    "run now, with mistakes": ("job/{asking}/run/", {"days": "multaj"}),
    "key with mistakes": ("apikey/add/", {"user": "neniu", "expires_at_0": "2020-01-01", "expires_at_1": "10:00"}),
    "key that was made": (
        "apikey/add/",
        {
            "name": "x-kopio",
            "user": VIEWER,
            "actions": ["view_job", "run_job"],
            "jobs": ["x-job"],
            "key_prefix": "0123456789",
        },
    ),
    "queue with mistakes": ("queue/add/", {"name": "a, b", "limit": "0"}),
    "calendar with mistakes": ("calendar/add/", {"name": "", "dates": "Kristnasko"}),
    "jobs to be deleted": ("job/", {"action": "delete_selected", "_selected_action": ["{job}"]}),
    "jobs to be paused": ("job/", {"action": "pause", "_selected_action": ["{job}", "{dependent}"]}),
    "jobs to be disabled": ("job/", {"action": "disable", "_selected_action": ["{job}", "{dependent}"]}),
    "queues to be paused": ("queue/", {"action": "pause", "_selected_action": ["{queue}", "{everything}"]}),
    "keys to be revoked": ("apikey/", {"action": "revoke", "_selected_action": ["{key}", "{revoked}"]}),
    "executions to be cancelled": (
        "jobexecution/",
        {"action": "cancel_selected", "_selected_action": ["{queued}", "{running}", "{failed}", "{stopping}"]},
    ),
    "jobs that were queued": ("job/", {"action": "run_now", "_selected_action": ["{job}", "{broken}", "{paused}"]}),
}
# The same lists once more, with what is said about what was done.
MESSAGES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "jobs that were paused": ("job/", {"action": "pause", "post": "yes", "_selected_action": ["{job}", "{paused}"]}),
    "job that was paused": ("job/{dependent}/pause/", {}),
    "job that was resumed": ("job/{dependent}/resume/", {}),
    "job that was disabled": ("job/{dependent}/disable/", {}),
    "job that was enabled": ("job/{dependent}/enable/", {}),
    "jobs that were resumed": ("job/", {"action": "resume", "_selected_action": ["{job}", "{dependent}"]}),
    "jobs that were disabled": (
        "job/",
        {"action": "disable", "post": "yes", "_selected_action": ["{job}", "{disabled}"]},
    ),
    "jobs that were enabled": ("job/", {"action": "enable", "_selected_action": ["{job}", "{dependent}"]}),
    "executions that were cancelled": ("jobexecution/cancel/", {"ids": "{queued},{running},{failed},{stopping}"}),
    "executions that are run again": (
        "jobexecution/",
        {"action": "run_selected_again", "_selected_action": ["{failed}", "{missed}"]},
    ),
    "execution that was run again twice": ("jobexecution/{failed}/retry/", {}),
    "node that was asked to drain": ("node/{node}/drain/", {}),
    "node that keeps working": ("node/{node}/undrain/", {}),
    "queues that were paused": (
        "queue/",
        {"action": "pause", "post": "yes", "_selected_action": ["{queue}", "{mail}"]},
    ),
    "queues that were resumed": ("queue/", {"action": "resume", "_selected_action": ["{mail}", "{everything}"]}),
    "keys that were revoked": (
        "apikey/",
        {"action": "revoke", "post": "yes", "_selected_action": ["{key}", "{revoked}"]},
    ),
}
