"""Who may see and do what: one table of roles, pages and actions."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import resolve
from django.utils import timezone

from cronjobs.models import ApiKey, Calendar, Job, JobExecution, Queue
from tests.integration.admin.conftest import ROLES, client_of
from tests.integration.admin.pages import (
    ALERTS,
    AUDIT,
    CALENDARS,
    DASHBOARD,
    EXECUTIONS,
    JOBS,
    KEYS,
    NODES,
    QUEUES,
    WORKERS,
    get,
)

# Who may do what is asked of Django, whatever the database; what is done then has tests of its own on each.
pytestmark = pytest.mark.sqlite_only

# What is answered: a page or a file, a page elsewhere without anything having been done, something that has been
# done, or a refusal of some kind.
SHOWN, LED_ON, DONE = "shown", "led on", "done"
LOGIN, REFUSED, MISSING, POST_ONLY = "login", "refused", "missing", "post only"

# For anonymous, plain staff, viewer, operator, superuser.
ALL_SEE = (LOGIN, REFUSED, SHOWN, SHOWN, SHOWN)
OPERATORS_SEE = (LOGIN, REFUSED, REFUSED, SHOWN, SHOWN)
OPERATORS_DO = (LOGIN, REFUSED, REFUSED, DONE, DONE)
OPERATORS_MUST_POST = (LOGIN, REFUSED, REFUSED, POST_ONLY, POST_ONLY)
SUPERUSERS_SEE = (LOGIN, REFUSED, REFUSED, REFUSED, SHOWN)
SUPERUSERS_DO = (LOGIN, REFUSED, REFUSED, REFUSED, DONE)
NOBODY_MAY = (LOGIN, REFUSED, REFUSED, REFUSED, REFUSED)
NOT_THERE = (LOGIN, MISSING, MISSING, MISSING, MISSING)
NOT_FOUND = (LOGIN, REFUSED, MISSING, MISSING, MISSING)
# Leads to another address, where permissions are asked.
ELSEWHERE = (LOGIN, LED_ON, LED_ON, LED_ON, LED_ON)
# Somebody else's key is not there for whoever is no superuser.
SUPERUSERS_FIND = (LOGIN, LED_ON, LED_ON, LED_ON, SHOWN)
# A list that offers somebody no action at all is shown, whatever is sent.
OPERATORS_ACT = (LOGIN, REFUSED, SHOWN, DONE, DONE)
SUPERUSERS_ACT = (LOGIN, REFUSED, SHOWN, SHOWN, DONE)
# One that offers others only leads back to itself.
OPERATORS_ACT_AMONG_OTHERS = (LOGIN, REFUSED, LED_ON, DONE, DONE)
OPERATORS_ARE_ASKED = (LOGIN, REFUSED, LED_ON, SHOWN, SHOWN)
SUPERUSERS_ACT_AMONG_OTHERS = (LOGIN, REFUSED, SHOWN, LED_ON, DONE)

INDEX, APP = "/admin/", "/admin/cronjobs/"
GET = {
    INDEX: (LOGIN, SHOWN, SHOWN, SHOWN, SHOWN),
    APP: (LOGIN, MISSING, SHOWN, SHOWN, SHOWN),
    DASHBOARD: ALL_SEE,
    DASHBOARD + "add/": NOT_THERE,
    DASHBOARD + "{job}/change/": NOT_THERE,
    JOBS: ALL_SEE,
    JOBS + "add/": SUPERUSERS_SEE,
    JOBS + "preview/": OPERATORS_SEE,
    JOBS + "{job}/": ELSEWHERE,
    JOBS + "{job}/change/": ALL_SEE,
    JOBS + "{job}/history/": ALL_SEE,
    JOBS + "{job}/delete/": SUPERUSERS_SEE,
    JOBS + "{job}/run/": OPERATORS_SEE,
    JOBS + "{job}/defaults/": OPERATORS_SEE,
    JOBS + "{job}/pause/": OPERATORS_MUST_POST,
    JOBS + "{paused}/resume/": OPERATORS_MUST_POST,
    JOBS + "{disabled}/enable/": OPERATORS_MUST_POST,
    JOBS + "{job}/disable/": OPERATORS_MUST_POST,
    EXECUTIONS: ALL_SEE,
    EXECUTIONS + "add/": NOBODY_MAY,
    EXECUTIONS + "export/": ALL_SEE,
    EXECUTIONS + "cancel/": OPERATORS_MUST_POST,
    EXECUTIONS + "{failed}/": ELSEWHERE,
    EXECUTIONS + "{failed}/change/": ALL_SEE,
    EXECUTIONS + "{failed}/history/": ALL_SEE,
    EXECUTIONS + "{failed}/delete/": NOBODY_MAY,
    EXECUTIONS + "{failed}/log/new/": NOT_FOUND,
    EXECUTIONS + "{failed}/log/new/?after=0.0": ALL_SEE,
    EXECUTIONS + "{failed}/log/text/": ALL_SEE,
    EXECUTIONS + "{failed}/log/text/?line=1.1": NOT_FOUND,
    EXECUTIONS + "{waiting}/cancel/": OPERATORS_SEE,
    EXECUTIONS + "{failed}/cancel/": (LOGIN, REFUSED, REFUSED, LED_ON, LED_ON),
    EXECUTIONS + "{failed}/retry/": OPERATORS_MUST_POST,
    NODES: ALL_SEE,
    NODES + "add/": NOBODY_MAY,
    NODES + "{node}/": ELSEWHERE,
    NODES + "{node}/change/": ALL_SEE,
    NODES + "{node}/history/": ALL_SEE,
    NODES + "{node}/delete/": NOBODY_MAY,
    NODES + "{node}/drain/": OPERATORS_SEE,
    NODES + "{draining}/undrain/": OPERATORS_MUST_POST,
    WORKERS: ALL_SEE,
    WORKERS + "add/": NOBODY_MAY,
    WORKERS + "{worker}/": ELSEWHERE,
    WORKERS + "{worker}/change/": ALL_SEE,
    WORKERS + "{worker}/history/": ALL_SEE,
    WORKERS + "{worker}/delete/": NOBODY_MAY,
    QUEUES: ALL_SEE,
    QUEUES + "add/": SUPERUSERS_SEE,
    QUEUES + "{queue}/": ELSEWHERE,
    QUEUES + "{queue}/change/": ALL_SEE,
    QUEUES + "{queue}/history/": ALL_SEE,
    QUEUES + "{queue}/delete/": SUPERUSERS_SEE,
    CALENDARS: ALL_SEE,
    CALENDARS + "add/": SUPERUSERS_SEE,
    CALENDARS + "{calendar}/": ELSEWHERE,
    CALENDARS + "{calendar}/change/": ALL_SEE,
    CALENDARS + "{calendar}/history/": ALL_SEE,
    CALENDARS + "{calendar}/delete/": SUPERUSERS_SEE,
    KEYS: SUPERUSERS_SEE,
    KEYS + "add/": SUPERUSERS_SEE,
    KEYS + "{key}/": ELSEWHERE,
    KEYS + "{key}/change/": SUPERUSERS_SEE,
    KEYS + "{key}/history/": SUPERUSERS_FIND,
    KEYS + "{key}/delete/": SUPERUSERS_SEE,
    KEYS + "{key}/revoke/": SUPERUSERS_SEE,
    AUDIT: ALL_SEE,
    AUDIT + "add/": NOBODY_MAY,
    AUDIT + "{entry}/": ELSEWHERE,
    AUDIT + "{entry}/change/": ALL_SEE,
    AUDIT + "{entry}/history/": ALL_SEE,
    AUDIT + "{entry}/delete/": NOBODY_MAY,
    ALERTS: ALL_SEE,
    ALERTS + "add/": NOBODY_MAY,
    ALERTS + "{alert}/": ELSEWHERE,
    ALERTS + "{alert}/change/": ALL_SEE,
    ALERTS + "{alert}/history/": ALL_SEE,
    ALERTS + "{alert}/delete/": NOBODY_MAY,
}
YES: dict[str, Any] = {"post": "yes"}
POST: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    DASHBOARD + "{job}/delete/": (YES, NOT_THERE),
    # Who may is shown the form again: so much is missing.
    JOBS + "add/": ({}, SUPERUSERS_SEE),
    JOBS + "{job}/change/": ({}, OPERATORS_SEE),
    JOBS + "{job}/delete/": (YES, SUPERUSERS_DO),
    JOBS + "{job}/run/": ({}, OPERATORS_DO),
    JOBS + "{job}/defaults/": ({"column": "priority"}, OPERATORS_DO),
    JOBS + "{job}/pause/": ({}, OPERATORS_DO),
    JOBS + "{paused}/resume/": ({}, OPERATORS_DO),
    JOBS + "{disabled}/enable/": ({}, OPERATORS_DO),
    JOBS + "{job}/disable/": ({}, OPERATORS_DO),
    EXECUTIONS + "add/": ({}, NOBODY_MAY),
    EXECUTIONS + "{failed}/change/": ({}, NOBODY_MAY),
    EXECUTIONS + "{failed}/delete/": (YES, NOBODY_MAY),
    EXECUTIONS + "{waiting}/cancel/": ({"reason": ""}, OPERATORS_DO),
    EXECUTIONS + "cancel/": ({"ids": "{waiting}", "reason": ""}, OPERATORS_DO),
    EXECUTIONS + "{failed}/retry/": ({}, OPERATORS_DO),
    NODES + "add/": ({}, NOBODY_MAY),
    NODES + "{node}/change/": ({}, NOBODY_MAY),
    NODES + "{node}/delete/": (YES, NOBODY_MAY),
    NODES + "{node}/drain/": ({}, OPERATORS_DO),
    NODES + "{draining}/undrain/": ({}, OPERATORS_DO),
    WORKERS + "add/": ({}, NOBODY_MAY),
    WORKERS + "{worker}/change/": ({}, NOBODY_MAY),
    WORKERS + "{worker}/delete/": (YES, NOBODY_MAY),
    QUEUES + "add/": ({"name": "mail"}, SUPERUSERS_DO),
    QUEUES + "{queue}/change/": ({"description": "Heavy."}, OPERATORS_DO),
    QUEUES + "{queue}/delete/": (YES, SUPERUSERS_DO),
    CALENDARS + "add/": ({"name": "closed", "dates": ""}, SUPERUSERS_DO),
    CALENDARS + "{calendar}/change/": ({"name": "closed", "dates": ""}, SUPERUSERS_DO),
    CALENDARS + "{calendar}/delete/": (YES, SUPERUSERS_DO),
    KEYS + "add/": ({}, SUPERUSERS_SEE),
    KEYS + "{key}/change/": ({}, SUPERUSERS_SEE),
    KEYS + "{key}/delete/": (YES, SUPERUSERS_DO),
    KEYS + "{key}/revoke/": ({}, SUPERUSERS_DO),
    AUDIT + "add/": ({}, NOBODY_MAY),
    AUDIT + "{entry}/change/": ({}, NOBODY_MAY),
    AUDIT + "{entry}/delete/": (YES, NOBODY_MAY),
    ALERTS + "add/": ({}, NOBODY_MAY),
    ALERTS + "{alert}/change/": ({}, NOBODY_MAY),
    ALERTS + "{alert}/delete/": (YES, NOBODY_MAY),
}
# What is chosen in a list for some of its rows: the list, the action, the row, and more that the form has.
ACTIONS: dict[tuple[str, str], tuple[str, dict[str, Any], tuple[str, ...]]] = {
    (JOBS, "run_now"): ("{job}", {}, OPERATORS_ACT),
    (JOBS, "pause"): ("{job}", YES, OPERATORS_ACT),
    (JOBS, "resume"): ("{paused}", {}, OPERATORS_ACT),
    (JOBS, "enable"): ("{disabled}", {}, OPERATORS_ACT),
    (JOBS, "disable"): ("{job}", YES, OPERATORS_ACT),
    (JOBS, "delete_selected"): ("{job}", YES, SUPERUSERS_ACT_AMONG_OTHERS),
    # Asks first, and leads to "cancel/".
    (EXECUTIONS, "cancel_selected"): ("{waiting}", {}, OPERATORS_ARE_ASKED),
    (EXECUTIONS, "run_selected_again"): ("{failed}", {}, OPERATORS_ACT_AMONG_OTHERS),
    (EXECUTIONS, "export_selected"): ("{failed}", {}, ALL_SEE),
    (QUEUES, "pause"): ("{queue}", {}, OPERATORS_ACT),
    (QUEUES, "resume"): ("{paused_queue}", {}, OPERATORS_ACT),
    (QUEUES, "delete_selected"): ("{queue}", YES, SUPERUSERS_ACT_AMONG_OTHERS),
    (CALENDARS, "delete_selected"): ("{calendar}", YES, SUPERUSERS_ACT),
    (KEYS, "revoke"): ("{key}", YES, SUPERUSERS_DO),
    (KEYS, "delete_selected"): ("{key}", YES, SUPERUSERS_DO),
}
# The three of them as one: method, address, what is sent, and what is answered to each role.
TABLE: dict[str, tuple[str, str, dict[str, Any], tuple[str, ...]]] = {
    **{f"get {path}": ("get", path, {}, cells) for path, cells in GET.items()},
    **{f"post {path}": ("post", path, data, cells) for path, (data, cells) in POST.items()},
    **{
        f"{action} in {path}": ("post", path, {**data, "action": action, "index": 0, "_selected_action": row}, cells)
        for (path, action), (row, data, cells) in ACTIONS.items()
    },
}
SWITCHES = ("pause_job", "resume_job", "enable_job", "disable_job")


@pytest.fixture
def read_only(make_worker, make_entry, make_alert):
    """A row of each kind that nobody edits."""
    return {"worker": make_worker(), "entry": make_entry(), "alert": make_alert()}


@pytest.fixture
def rows(make_execution, make_job, make_node, read_only):
    """One row of each kind in each state that matters, by the names that the addresses use."""
    jobs = {
        "job": make_job("noop", priority=1),
        "paused": make_job("noop", name="paused", paused=True),
        "disabled": make_job("noop", name="disabled", enabled=False),
    }
    executions = {
        "failed": make_execution("noop", status="failed"),
        "waiting": make_execution("noop", status="queued", finished_at=None, started_at=None),
    }
    nodes = {"node": make_node(), "draining": make_node("web-2:1", drain_requested_at=timezone.now())}
    queues = {
        "queue": Queue.objects.create(name="heavy"),
        "paused_queue": Queue.objects.create(name="light", paused=True),
    }
    user = get_user_model().objects.create_user("of-the-key")
    key, _ = ApiKey.objects.issue(user=user, name="deploy", actions=["view_job"])
    others = {
        "calendar": Calendar.objects.create(name="holidays"),
        "key": key,
    }
    return {name: row.pk for name, row in {**jobs, **executions, **nodes, **queues, **others, **read_only}.items()}


def stored() -> dict[str, list[Any]]:
    """Return all that the app has in the database."""
    models = [each for each in apps.get_app_config("cronjobs").get_models() if each._meta.managed]
    return {each.__name__: list(each._default_manager.order_by("pk").values()) for each in models}


def outcome(client: Client, method: str, url: str, data: dict[str, Any]) -> str:
    """Ask for an address, and return what is answered in the table's words."""
    before = stored()
    response: Any = client.get(url) if method == "get" else client.post(url, data)
    if response.streaming:
        list(response.streaming_content)
    if stored() != before:
        assert response.status_code == 302
        return DONE
    if response.status_code == 302:
        return LOGIN if response.url.startswith("/admin/login/") else LED_ON
    return {200: SHOWN, 403: REFUSED, 404: MISSING, 405: POST_ONLY}[response.status_code]


@pytest.mark.parametrize("role", list(ROLES))
@pytest.mark.parametrize("line", list(TABLE))
def test_a_page_or_an_action_answers_only_to_whom_it_should(django_user_model, rows, line, role):
    method, path, data, cells = TABLE[line]
    filled = {name: value.format(**rows) if isinstance(value, str) else value for name, value in data.items()}
    client = client_of(role, django_user_model)

    assert outcome(client, method, path.format(**rows), filled) == dict(zip(ROLES, cells, strict=True))[role]


def routes(patterns: Any, before: str = "admin/") -> Iterator[str]:
    """Yield each address of the app that the admin answers at, as a route."""
    for each in patterns:
        route = before + str(each.pattern).removeprefix("^")
        if hasattr(each, "url_patterns"):
            yield from routes(each.url_patterns, route)
        elif route.startswith("admin/cronjobs/") or each.name in {"index", "app_list"}:
            yield route


def test_the_table_has_every_address_of_the_admin(rows):
    covered = {resolve(path.format(**rows).partition("?")[0]).route for _, path, _, _ in TABLE.values()}

    assert set(routes(admin.site.get_urls())) - covered == set()


def test_the_table_has_every_action_of_every_list(rf, django_user_model):
    request = rf.get("/")
    request.user = django_user_model.objects.create_superuser("olive")

    offered = {
        (f"{APP}{model._meta.model_name}/", action)
        for model, of_model in admin.site._registry.items()
        if model._meta.app_label == "cronjobs"
        for action in of_model.get_actions(request)
    }
    assert offered == set(ACTIONS)


def may_do(role: str, cells: tuple[str, ...]) -> bool:
    """Return whether something else is answered to that role than to whoever only looks."""
    of_role = dict(zip(ROLES, cells, strict=True))
    return of_role[role] in {DONE, SHOWN} and of_role[role] != of_role["viewer"]


@pytest.mark.parametrize("role", ["viewer", "operator", "superuser"])
def test_who_may_not_act_is_offered_nothing(django_user_model, rows, role):
    client, may_act = client_of(role, django_user_model), role != "viewer"
    at = SimpleNamespace(**rows)
    sources = {path: client.get(path).content.decode() for path, _ in ACTIONS}

    assert {(path, action) for path, action in ACTIONS if f'<option value="{action}">' in sources[path]} == {
        each for each, (*_, cells) in ACTIONS.items() if may_do(role, cells) or each == (EXECUTIONS, "export_selected")
    }
    assert ('role="switch"' in sources[JOBS]) == may_act
    buttons = {
        f"{JOBS}{at.job}/": ("run", "pause", "disable", "defaults"),
        f"{JOBS}{at.paused}/": ("resume",),
        f"{JOBS}{at.disabled}/": ("enable",),
        f"{EXECUTIONS}{at.waiting}/": ("cancel",),
        f"{EXECUTIONS}{at.failed}/": ("retry",),
        f"{NODES}{at.node}/": ("drain",),
        f"{NODES}{at.draining}/": ("undrain",),
    }
    for page, names in buttons.items():
        source = get(client, f"{page}change/")
        for name in names:
            assert (f"{page}{name}/" in source) == may_act, (page, name)
    for page in (f"{JOBS}{at.job}/change/", f"{QUEUES}{at.queue}/change/"):
        assert ('name="_save"' in get(client, page)) == may_act


@pytest.mark.parametrize("permission", ["run_job", *SWITCHES])
def test_with_one_permission_alone_one_thing_can_be_done(django_user_model, make_job, permission):
    client = client_of("viewer", django_user_model)
    django_user_model.objects.get(username="viewer").user_permissions.add(Permission.objects.get(codename=permission))
    able = permission.removesuffix("_job")

    def happens(url, data):
        JobExecution.objects.all().delete()
        # So that each of them would change something.
        job = make_job("noop", enabled=able != "enable", paused=able == "resume", owner="")
        before = Job.objects.filter(pk=job.pk).values().get()
        client.post(url.format(pk=job.pk), {"_selected_action": [job.pk], "index": 0, **data})
        return JobExecution.objects.exists() or Job.objects.filter(pk=job.pk).values().get() != before

    names = ("run", *(each.removesuffix("_job") for each in SWITCHES))
    actions = {name: "run_now" if name == "run" else name for name in names}
    assert {name for name in names if happens(JOBS + "{pk}/" + name + "/", {})} == {able}
    assert {name for name, action in actions.items() if happens(JOBS, {"action": action})} == {able}
    assert not happens(JOBS + "{pk}/change/", {"owner": "eve"})
    assert not happens(JOBS + "{pk}/defaults/", {"column": "schedule"})
    job = make_job("noop", enabled=able != "enable", paused=able == "resume")
    listed, page = get(client, JOBS), get(client, f"{JOBS}{job.pk}/change/")
    assert {name for name, action in actions.items() if f'<option value="{action}">' in listed} == {able}
    assert {name for name in SWITCHES if f"/{name.removesuffix('_job')}/" in page} == {permission} - {"run_job"}
    assert ('role="switch"' in listed) == (able in {"enable", "disable"})


def test_running_needs_its_own_permission(django_user_model, make_job):
    job = make_job("noop")
    client = client_of("viewer", django_user_model)
    user = django_user_model.objects.get(username="viewer")
    user.user_permissions.add(Permission.objects.get(codename="change_job"))

    assert client.post(f"{JOBS}{job.pk}/run/").status_code == 403
    assert not JobExecution.objects.exists()


def test_whoever_may_run_but_not_see_executions_is_led_back_to_the_job(django_user_model, make_job):
    job = make_job("noop")
    client = client_of("operator", django_user_model)
    user = django_user_model.objects.get(username="operator")
    user.user_permissions.remove(*user.user_permissions.filter(codename="view_jobexecution"))

    response = client.post(f"{JOBS}{job.pk}/run/")

    assert response.url == f"{JOBS}{job.pk}/change/"
    assert "Latest executions" not in client.get(response.url).content.decode()
