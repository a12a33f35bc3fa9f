"""Who may see and do what: one table of roles, pages and actions."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission

from cronjobs.models import ApiKey, Calendar, Job, JobExecution, Queue
from tests.integration.admin.conftest import ROLES, client_of
from tests.integration.admin.pages import AUDIT, CALENDARS, DASHBOARD, EXECUTIONS, JOBS, KEYS, NODES, QUEUES, get

# What each page answers to: anonymous, plain staff, viewer, operator, superuser.
PAGES = {
    ("get", DASHBOARD): (302, 403, 200, 200, 200),
    ("get", DASHBOARD + "{job}/change/"): (302, 404, 404, 404, 404),
    ("post", DASHBOARD + "{job}/delete/"): (302, 404, 404, 404, 404),
    ("get", DASHBOARD + "add/"): (302, 404, 404, 404, 404),
    ("get", EXECUTIONS): (302, 403, 200, 200, 200),
    ("get", EXECUTIONS + "{execution}/change/"): (302, 403, 200, 200, 200),
    ("post", EXECUTIONS + "{execution}/change/"): (302, 403, 403, 403, 403),
    ("get", EXECUTIONS + "{execution}/delete/"): (302, 403, 403, 403, 403),
    ("post", EXECUTIONS + "{execution}/delete/"): (302, 403, 403, 403, 403),
    ("get", EXECUTIONS + "{execution}/history/"): (302, 403, 200, 200, 200),
    ("get", EXECUTIONS + "add/"): (302, 403, 403, 403, 403),
    ("get", EXECUTIONS + "export/"): (302, 403, 200, 200, 200),
    ("get", EXECUTIONS + "{execution}/log/new/"): (302, 403, 404, 404, 404),
    ("get", EXECUTIONS + "{execution}/log/new/?after=0.0"): (302, 403, 200, 200, 200),
    ("get", EXECUTIONS + "{execution}/log/text/"): (302, 403, 200, 200, 200),
    ("get", EXECUTIONS + "{execution}/log/text/?line=1.1"): (302, 403, 404, 404, 404),
    ("get", EXECUTIONS + "{execution}/cancel/"): (302, 403, 403, 403, 302),
    ("post", EXECUTIONS + "{execution}/cancel/"): (302, 403, 403, 403, 302),
    ("get", EXECUTIONS + "{execution}/retry/"): (302, 403, 403, 403, 405),
    ("get", EXECUTIONS + "cancel/"): (302, 403, 403, 403, 405),
    ("post", EXECUTIONS + "cancel/"): (302, 403, 403, 403, 302),
    ("get", JOBS): (302, 403, 200, 200, 200),
    ("get", JOBS + "{job}/change/"): (302, 403, 200, 200, 200),
    ("post", JOBS + "{job}/change/"): (302, 403, 403, 200, 200),
    ("get", JOBS + "{job}/history/"): (302, 403, 200, 200, 200),
    ("get", JOBS + "{job}/run/"): (302, 403, 403, 200, 200),
    ("post", JOBS + "{job}/run/"): (302, 403, 403, 302, 302),
    ("post", JOBS + "{job}/pause/"): (302, 403, 403, 302, 302),
    ("post", JOBS + "{job}/resume/"): (302, 403, 403, 302, 302),
    ("post", JOBS + "{job}/enable/"): (302, 403, 403, 302, 302),
    ("post", JOBS + "{job}/disable/"): (302, 403, 403, 302, 302),
    ("get", JOBS + "{job}/disable/"): (302, 403, 403, 405, 405),
    ("get", JOBS + "{job}/defaults/"): (302, 403, 403, 200, 200),
    ("post", JOBS + "{job}/defaults/"): (302, 403, 403, 302, 302),
    ("get", JOBS + "preview/"): (302, 403, 403, 200, 200),
    ("get", JOBS + "{job}/delete/"): (302, 403, 403, 403, 200),
    ("post", JOBS + "{job}/delete/"): (302, 403, 403, 403, 302),
    ("get", JOBS + "add/"): (302, 403, 403, 403, 200),
    ("post", JOBS + "add/"): (302, 403, 403, 403, 200),
    ("get", CALENDARS): (302, 403, 200, 200, 200),
    ("get", CALENDARS + "{calendar}/change/"): (302, 403, 200, 200, 200),
    ("post", CALENDARS + "{calendar}/change/"): (302, 403, 403, 403, 200),
    ("post", CALENDARS + "{calendar}/delete/"): (302, 403, 403, 403, 302),
    ("post", CALENDARS + "add/"): (302, 403, 403, 403, 200),
    ("get", QUEUES): (302, 403, 200, 200, 200),
    ("get", QUEUES + "{queue}/change/"): (302, 403, 200, 200, 200),
    ("post", QUEUES + "{queue}/change/"): (302, 403, 403, 302, 302),
    ("post", QUEUES + "{queue}/delete/"): (302, 403, 403, 403, 302),
    ("post", QUEUES + "add/"): (302, 403, 403, 403, 200),
    ("get", NODES): (302, 403, 200, 200, 200),
    ("get", NODES + "{node}/change/"): (302, 403, 200, 200, 200),
    ("post", NODES + "{node}/change/"): (302, 403, 403, 403, 403),
    ("post", NODES + "{node}/delete/"): (302, 403, 403, 403, 403),
    ("get", NODES + "{node}/history/"): (302, 403, 200, 200, 200),
    ("get", NODES + "{node}/drain/"): (302, 403, 403, 200, 200),
    ("post", NODES + "{node}/drain/"): (302, 403, 403, 302, 302),
    ("post", NODES + "{node}/undrain/"): (302, 403, 403, 302, 302),
    ("get", NODES + "add/"): (302, 403, 403, 403, 403),
    ("get", KEYS): (302, 403, 403, 403, 200),
    ("get", KEYS + "{key}/change/"): (302, 403, 403, 403, 200),
    ("post", KEYS + "{key}/change/"): (302, 403, 403, 403, 200),
    ("get", KEYS + "{key}/revoke/"): (302, 403, 403, 403, 200),
    ("post", KEYS + "{key}/revoke/"): (302, 403, 403, 403, 302),
    ("post", KEYS + "{key}/delete/"): (302, 403, 403, 403, 302),
    ("get", KEYS + "add/"): (302, 403, 403, 403, 200),
    ("post", KEYS + "add/"): (302, 403, 403, 403, 200),
    ("get", AUDIT): (302, 403, 200, 200, 200),
    ("get", AUDIT + "{entry}/change/"): (302, 403, 200, 200, 200),
    ("post", AUDIT + "{entry}/change/"): (302, 403, 403, 403, 403),
    ("post", AUDIT + "{entry}/delete/"): (302, 403, 403, 403, 403),
    ("get", AUDIT + "add/"): (302, 403, 403, 403, 403),
}
SWITCHES = ("pause_job", "resume_job", "enable_job", "disable_job")
# Who gets something done by each action.
ACTIONS = {
    "run_now": {"operator", "superuser"},
    "pause": {"operator", "superuser"},
    "resume": {"operator", "superuser"},
    "enable": {"operator", "superuser"},
    "disable": {"operator", "superuser"},
    "delete_selected": {"superuser"},
}


@pytest.fixture
def rows(make_execution, make_job, make_node, make_entry, django_user_model):
    """One row of each kind, by the names that the addresses use."""
    calendar, queue = Calendar.objects.create(name="holidays"), Queue.objects.create(name="heavy")
    job, execution, node = make_job("noop"), make_execution("noop"), make_node()
    user = django_user_model.objects.create_user("of-the-key")
    key, _ = ApiKey.objects.issue(user=user, name="deploy", actions=["view_job"])
    made = {"job": job, "execution": execution, "node": node, "calendar": calendar, "queue": queue, "key": key}
    made["entry"] = make_entry()
    return {name: row.pk for name, row in made.items()}


@pytest.mark.parametrize("role", list(ROLES))
@pytest.mark.parametrize(("method", "page"), list(PAGES), ids=" ".join)
def test_a_page_answers_only_to_whom_it_should(django_user_model, rows, *, role, method, page):
    url = page.format(**rows)
    client = client_of(role, django_user_model)
    data = {"post": "yes"} if "/delete/" in url else {}

    response = client.get(url) if method == "get" else client.post(url, data)

    expected = PAGES[method, page][list(ROLES).index(role)]
    assert response.status_code == expected
    if role == "anonymous":
        assert response.url.startswith("/admin/login/")
    if expected == 403:
        assert Job.objects.filter(pk=rows["job"]).exists()
        assert JobExecution.objects.count() == 1


@pytest.mark.parametrize("role", list(ROLES))
@pytest.mark.parametrize("action", list(ACTIONS))
def test_an_action_works_only_for_whom_it_should(django_user_model, make_job, role, action):
    job = make_job("noop", enabled=action != "enable", paused=action == "resume")
    before = Job.objects.filter(pk=job.pk).values().get()
    client = client_of(role, django_user_model)

    client.post(JOBS, {"action": action, "index": 0, "_selected_action": [job.pk]})
    if action == "delete_selected":
        client.post(JOBS, {"action": action, "_selected_action": [job.pk], "post": "yes"})

    happened = JobExecution.objects.exists() or Job.objects.filter(pk=job.pk).values().first() != before
    assert happened == (role in ACTIONS[action])


@pytest.mark.parametrize("role", ["viewer", "operator", "superuser"])
def test_who_may_not_act_is_offered_nothing(django_user_model, make_job, role):
    client = client_of(role, django_user_model)
    job = make_job("noop")

    page = client.get(JOBS).content.decode()
    form = client.get(f"{JOBS}{job.pk}/change/").content.decode()

    offered = {action for action in ACTIONS if f'<option value="{action}">' in page}
    assert offered == {action for action, roles in ACTIONS.items() if role in roles}
    assert ("Run now" in form) == (role != "viewer")
    assert ('name="_save"' in form) == (role != "viewer")
    for name in ("pause", "disable", "defaults"):
        assert (f"/{job.pk}/{name}/" in form) == (role != "viewer")
    assert ('role="switch"' in page) == (role != "viewer")


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
