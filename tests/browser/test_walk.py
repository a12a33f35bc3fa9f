"""One operator's way through the admin, with a real node that does the work, and a viewer who follows."""

from __future__ import annotations

import re
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone
from playwright.sync_api import expect

from cronjobs.models import Job, JobExecution, Node
from tests.integration.admin.conftest import client_of
from tests.servers import running_command, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.sqlite_only, pytest.mark.django_db(transaction=True)]

PASSWORD = "correct horse battery staple"
# Neither is due while the test runs, or it would not matter.
OLD, NEW = "0 5 1 1 *", "30 7 24 12 *"
# Whatever comes, comes in time, also on a machine that is busy.
PATIENCE = 90_000


@pytest.fixture
def node(transactional_db, tmp_path):
    """A node that runs what is asked for, and nothing else."""
    Job.objects.update(schedule="")
    Job.objects.filter(name="noop").update(schedule=OLD)
    with running_command("runcron", log=tmp_path / "node.log"):
        wait_for(Node.objects.exists)
        yield


@pytest.fixture
def operator(browser, live_server, django_user_model):
    """Somebody's browser, in which nobody has logged in yet."""
    client_of("operator", django_user_model)
    olive = django_user_model.objects.get(username="operator")
    olive.set_password(PASSWORD)
    olive.save()
    context = browser.new_context(base_url=live_server.url, viewport={"width": 1440, "height": 900})
    context.set_default_timeout(PATIENCE)
    yield context.new_page()
    context.close()


@pytest.fixture(autouse=True)
def patience():
    expect.set_options(timeout=PATIENCE)
    yield
    expect.set_options(timeout=5_000)


@pytest.mark.usefixtures("node")
def test_an_operator_looks_runs_watches_cancels_repeats_and_edits(operator):
    log_in(operator)
    expect(operator.get_by_text("1 alive")).to_be_visible()
    dashboard, page = operator, operator.context.new_page()

    execution = run_with_parameters(page)
    watch(page, dashboard, execution)
    cancel(page, dashboard, execution)
    run_a_failed_one_again(page)
    edit_a_schedule(page)


def log_in(page):
    page.goto("/admin/cronjobs/dashboard/")
    page.get_by_label("Username").fill("operator")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()


def run_with_parameters(page):
    """Run a job; parameters that make no sense are refused."""
    page.goto(f"/admin/cronjobs/job/{Job.objects.named('tells').pk}/change/")
    page.get_by_role("link", name="Run now").click()
    page.get_by_label("Lines").fill("0")
    page.get_by_role("button", name="Run now").click()
    expect(page.get_by_text("greater than or equal to 1")).to_be_visible()
    page.get_by_label("Lines").fill("40")
    page.get_by_role("button", name="Run now").click()
    return wait_for(lambda: JobExecution.objects.filter(job_name="tells").first())


def watch(page, dashboard, execution):
    """See the log grow while it runs, and that the dashboard has noticed by itself."""
    page.goto(f"/admin/cronjobs/jobexecution/{execution.pk}/change/")
    expect(page.locator("#cron-tail")).to_contain_text("This is line 40")
    expect(badge_on(dashboard)).to_have_text("Running")


def cancel(page, dashboard, execution):
    """Cancel it, after a question."""
    page.get_by_role("link", name=re.compile("Cancel")).click()
    page.get_by_label("Reason").fill("Enough.")
    page.get_by_role("button", name="Ask it to stop").click()
    expect(page.get_by_text("Enough.").first).to_be_visible()
    expect(page.locator(".cron-headline .cron-badge").first).to_have_text("Cancelled")
    expect(badge_on(dashboard)).to_have_text("Cancelled")
    execution.refresh_from_db()
    assert execution.status == "cancelled"


def run_a_failed_one_again(page):
    """Run it again, and see it fail again."""
    failed = JobExecution.objects.request("fails")
    wait_for(lambda: JobExecution.objects.filter(pk=failed.pk, status="failed").exists())
    page.goto(f"/admin/cronjobs/jobexecution/{failed.pk}/change/")
    expect(page.locator("#cron-outcome")).to_contain_text("boom")
    with page.expect_navigation():
        page.get_by_role("button", name="Run again").click()
    expect(page.get_by_role("link", name=f"#{failed.pk}", exact=True)).to_be_visible()
    expect(page.locator("#cron-outcome")).to_contain_text("boom")
    wait_for(lambda: JobExecution.objects.filter(retry_of=failed, status="failed").exists())


def edit_a_schedule(page):
    """See first what it would do; then the job's next run is another one, and the history tells of it."""
    job = Job.objects.named("noop")
    page.goto(f"/admin/cronjobs/job/{job.pk}/change/")
    page.get_by_label("Schedule:").fill(NEW)
    expect(page.locator("#cron-preview")).to_contain_text("-12-24 07:30")
    page.get_by_role("button", name="Save and continue editing").click()
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    page.goto("/admin/cronjobs/job/?q=noop")
    # Half past seven in UTC, by the clock of who looks.
    expect(page.locator(".field-shown_next_run")).to_contain_text("-12-24 01:30:00")
    page.goto(f"/admin/cronjobs/job/{job.pk}/history/")
    expect(page.get_by_text(NEW)).to_be_visible()
    expect(page.get_by_text(OLD)).to_be_visible()


def badge_on(dashboard):
    return dashboard.locator("#dashboard-timeline li", has_text="tells").locator(".cron-badge")


@pytest.fixture
def what_one_could_do():
    """Return the addresses of something to do: jobs, executions and a node that is alive."""
    noop, off = Job.objects.named("tells"), Job.objects.named("noop")
    Job.objects.filter(pk=off.pk).update(enabled=False)
    waiting = JobExecution.objects.request("noop")
    now = timezone.now()
    failed = JobExecution.objects.request("fails")
    JobExecution.objects.filter(pk=failed.pk).update(status="failed", finished_at=now)
    facts = {"hostname": "web-1", "pid": 4711, "version": "1.0", "workers": 8}
    # A little ahead, so that it is alive for as long as the test takes.
    alive = Node.objects.create(
        name="web-1:4711", started_at=now, heartbeat_at=now + timedelta(minutes=10), last_tick_at=now, **facts
    )
    return {
        f"job/{noop.pk}": ("run", "pause", "disable"),
        f"job/{off.pk}": ("enable",),
        f"jobexecution/{waiting.pk}": ("cancel",),
        f"jobexecution/{failed.pk}": ("retry",),
        f"node/{alive.pk}": ("drain",),
    }


def test_who_may_only_look_sees_no_buttons_and_is_refused_when_posting(
    browser, live_server, django_user_model, what_one_could_do
):
    with tab_of("viewer", browser, live_server, django_user_model) as page:
        assert not [each for path in pages_of(what_one_could_do) for each in buttons_on(page, path)]
        before = stored()
        answers = [send(page, path, verb) for path, verbs in what_one_could_do.items() for verb in verbs]

    assert {status for status, _ in answers} == {403}
    # Nor is it for want of the token.
    assert not [body for _, body in answers if "CSRF" in body]
    assert stored() == before


def test_who_may_act_sees_the_buttons_and_the_same_posts_work(
    browser, live_server, django_user_model, what_one_could_do
):
    with tab_of("operator", browser, live_server, django_user_model) as page:
        found = {each for path in pages_of(what_one_could_do) for each in buttons_on(page, path)}
        answers = [send(page, path, verb) for path, verbs in what_one_could_do.items() for verb in verbs]

    assert {"Run now", "Pause", "Disable", "Enable", "Cancel …", "Run again", "Drain …", "Save"} <= found
    assert {status for status, _ in answers} == {200}


@contextmanager
def tab_of(role, browser, live_server, users):
    """Open a page for somebody of that role."""
    name = settings.SESSION_COOKIE_NAME
    session = client_of(role, users).cookies[name].value
    context = browser.new_context(base_url=live_server.url)
    context.add_cookies([{"name": name, "value": session, "url": live_server.url}])
    yield context.new_page()
    context.close()


def pages_of(rows):
    return ["job/", "jobexecution/", "node/", *(f"{row}/change/" for row in rows)]


def buttons_on(page, path):
    """Return what one could press on a page that does something, by its text."""
    page.goto(f"/admin/cronjobs/{path}")
    main = page.locator("#content")
    expect(main).to_be_visible()
    names = main.locator("button, input[type=submit], [role=switch], .object-tools a")
    found = names.evaluate_all("all => all.map((each) => (each.textContent || each.value || each.title).trim())")
    return [each for each in found if re.search("Run|Cancel|Pause|Resume|able|Save|Delete|Drain|Restore", each)]


def send(page, path, verb):
    """Post what a button would, with the token that any page of the admin has; return the status and the body."""
    page.goto("/admin/cronjobs/dashboard/")
    token = page.locator("#logout-form [name=csrfmiddlewaretoken]").get_attribute("value")
    form = {"csrfmiddlewaretoken": token, **({"reason": ""} if verb == "cancel" else {})}
    answer = page.request.post(f"/admin/cronjobs/{path}/{verb}/", form=form)
    return answer.status, answer.text()


def stored():
    return [list(model.objects.order_by("pk").values()) for model in (Job, JobExecution, Node)]
