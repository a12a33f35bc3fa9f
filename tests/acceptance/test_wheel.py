"""What is built is whole: a wheel in an empty environment, added to an empty project as the README says, does its work."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import urllib.parse
import urllib.request
import zipfile
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import pytest

from project.processes import stop
from tests.documentation import README
from tests.environments import Environment, layered_environment, made_once, make_environment, need_index
from tests.servers import ROOT, wait_for
from tests.steps import Addition, first_block, read_steps

pytestmark = [pytest.mark.slow, pytest.mark.sqlite_only, pytest.mark.timeout(1_200)]

TEXT = README.read_text(encoding="utf-8")
STEPS = read_steps(TEXT, "Add it to a Django project")
RUNS_ON = "python manage.py runcron"
# The project's own app, with the README's job and one that is due all the time.
JOBS = f"""{first_block(TEXT, "Write a job")}

@job("greet", schedule="@every 1s")
def greet(context):
    print("Good morning.")
    return {{"greeted": "everybody"}}
"""
# What only somebody needs who asks for an extra, and what prometheus_client would do is done without it.
OPTIONAL = {"pymongo", "mongoengine", "celery", "kombu", "drf_spectacular", "prometheus_client", "pytest"}
PAGES = [
    "/admin/",
    "/admin/cronjobs/job/",
    "/admin/cronjobs/job/add/",
    "/admin/cronjobs/jobexecution/",
    "/admin/cronjobs/node/",
    "/static/cronjobs/admin.css",
    "/static/cronjobs/live.js",
]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the wheel and the sdist, built with what is installed here."""
    with made_once(tmp_path_factory, "dist") as (directory, is_there):
        if not is_there:
            command = [sys.executable, "-m", "hatchling", "build", "--directory", str(directory)]
            subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)  # noqa: S603 - our own
    return directory


@pytest.fixture(scope="module")
def added(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment and a project in it to which the app was added, step by step."""
    with made_once(tmp_path_factory, "installed") as (directory, is_there):
        site = Environment(directory / "venv", directory / "site")
        if not is_there:
            make_environment(site.home, site.directory)
            need_index(site)
            add(site)
    return site


@pytest.fixture
def site(added: Environment, tmp_path: Path) -> Environment:
    """The same for one test alone, which may install more and change the project."""
    return layered_environment(added, tmp_path / "environment")


def add(site: Environment) -> None:
    """Do what the README says, up to where a node runs; and have an app with jobs, as projects do."""
    for number, step in enumerate(STEPS):
        if isinstance(step, Addition):
            step.make(site.directory / "mysite")
            continue
        for line in step.lines:
            if line != RUNS_ON:
                site.run(line.replace("/path/to/cronjobs", str(ROOT)))
        if number == 0:
            # Django has come with it.
            site.run("django-admin startproject mysite .")
            site.run("python manage.py startapp digests")
            (site.directory / "digests" / "jobs.py").write_text(JOBS, encoding="utf-8")
            Addition("settings.py", 'INSTALLED_APPS += ["digests"]\n').make(site.directory / "mysite")


def test_the_wheel_holds_the_whole_package_and_nothing_else(built):
    (wheel,) = built.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    package = {
        each.relative_to(ROOT).as_posix()
        for each in (ROOT / "cronjobs").rglob("*")
        if each.is_file() and each.suffix != ".pyc"
    }

    assert {name for name in names if ".dist-info/" not in name} == package
    assert {"cronjobs/py.typed", "cronjobs/static/cronjobs/admin.css", "cronjobs/migrations/__init__.py"} < names
    assert any(name.startswith("cronjobs/templates/") for name in names)
    assert {Path(name).name for name in names if ".dist-info/" in name} >= {"METADATA", "LICENSE", "RECORD"}


def test_the_sdist_holds_everything_that_is_kept(built):
    (sdist,) = built.glob("*.tar.gz")
    if not (ROOT / ".git").exists():
        pytest.skip("this is no clone, so nobody knows what is kept")
    git = shutil.which("git") or "git"
    listed = subprocess.run([git, "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603 - our own

    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    kept = {name for name in listed.stdout.splitlines() if (ROOT / name).exists()}

    assert kept - names == set()
    assert not {name for name in names if name.startswith((".git/", ".venv", "var/")) or name == ".git"}


def test_the_tests_can_be_run_from_the_sdist(built, tmp_path):
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (root,) = tmp_path.iterdir()
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "tests/unit/test_states.py",
        "tests/unit/test_documentation.py",
    ]

    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)  # noqa: S603 - our own

    assert done.returncode == 0, done.stdout + done.stderr


def test_an_empty_project_to_which_it_was_added_as_the_readme_says_runs_its_jobs(site):
    assert RUNS_ON in STEPS[-1].lines
    assert not OPTIONAL & set(json.loads(site.run(["python", "-c", INSTALLED])))
    assert "sent" in site.run("python manage.py runjob send-digest")
    site.run("python manage.py makemigrations --check --dry-run")
    assert "no issues" in site.run("python manage.py check --database default --fail-level WARNING")
    site.run(
        "python manage.py createsuperuser --noinput --username olive --email olive@example.org",
        DJANGO_SUPERUSER_PASSWORD="correct horse",
    )
    key = site.run(
        "python manage.py cronkey create tests --user olive --action view_job --action view_jobexecution"
    ).strip()
    address = free_address()
    server = site.start("server", f"python manage.py runserver --noreload {address.removeprefix('http://')}")
    node = site.start("node", RUNS_ON)
    try:
        browser = wait_for(lambda: signed_in(address))
        assert {page: get(browser, address + page)[0] for page in PAGES} == dict.fromkeys(PAGES, 200)

        execution = wait_for(lambda: newest_of(address, key, "greet", status="succeeded"))
        status = json.loads(get(with_key(key), f"{address}/cron/status")[1])

        assert (
            "Good morning."
            in get(browser, f"{address}/admin/cronjobs/jobexecution/{execution['executionId']}/change/")[1]
        )
        assert {"greet", "send-digest", "health-check"} <= status["cronJobs"].keys()
        node.check()
    finally:
        stop([node, server])
    assert "Traceback" not in node.output()


def test_a_node_that_works_once_performs_what_is_due(site):
    site.run("python manage.py shell -c 'from digests.jobs import send_digest; send_digest.enqueue(days=2)'")

    site.run("python manage.py runcron --once")

    assert '"succeeded"' in site.run("python manage.py cronlog --json 1")


def test_zones_are_known_where_the_system_has_none(site):
    said = site.run("python manage.py cronpreview --expression '0 7 * * *' --time-zone Europe/Berlin", PYTHONTZPATH="")

    assert "07:00" in said


def test_the_extra_mongo_brings_what_the_conversation_jobs_need(site, mongo_server):
    install(site, "mongo")
    Addition("settings.py", f"CRONJOBS = {{'MONGODB_URI': {mongo_server!r}}}\n").make(site.directory / "mysite")

    assert json.loads(site.run("python manage.py conversation_stats --json"))["total"] == 0


def test_the_extra_celery_brings_workers(site):
    install(site, "celery")
    # The messages are files, so that no broker is needed.
    (site.directory / "messages").mkdir()
    Addition("celery.py", CELERY_APP).make(site.directory / "mysite")
    Addition("settings.py", CELERY_SETTINGS).make(site.directory / "mysite")
    assert "no issues" in site.run("python manage.py check")
    node = site.start("node", RUNS_ON)
    worker = site.start("worker", "python -m celery --app mysite worker --pool solo --queues default")
    try:
        site.run("python manage.py shell -c 'from digests.jobs import send_digest; send_digest.enqueue()'")
        wait_for(lambda: "succeeded" in site.run("python manage.py cronlog --json 1"))
    finally:
        stop([node, worker])


def test_the_extra_openapi_brings_the_description_and_its_page(site):
    install(site, "openapi")
    Addition("settings.py", "INSTALLED_APPS += ['drf_spectacular_sidecar']\n").make(site.directory / "mysite")

    said = site.run(["python", "manage.py", "shell", "-c", DESCRIPTION]).splitlines()

    assert said[-2:] == ["200 3.1", "200 True"]


INSTALLED = """
import json
from importlib.metadata import distributions
print(json.dumps([each.name.lower().replace("-", "_") for each in distributions()]))
"""
CELERY_APP = """
import os
from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")
app = Celery("mysite")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
"""
CELERY_SETTINGS = """
CRONJOBS = {"CELERY_APP": "mysite.celery.app", "QUEUE_EXECUTORS": {"default": "celery"}}
CELERY_BROKER_URL = "filesystem://"
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "data_folder_in": str(BASE_DIR / "messages"),
    "data_folder_out": str(BASE_DIR / "messages"),
    "control_folder": str(BASE_DIR / "messages"),
}
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
"""
DESCRIPTION = """
from django.contrib.auth.models import User
from django.test import Client
from django.test.utils import override_settings

client = Client()
client.force_login(User.objects.create_superuser("olive"))
with override_settings(ALLOWED_HOSTS=["testserver"]):
    answer = client.get("/cron/schema")
    print(answer.status_code, answer.json()["openapi"][:3])
    answer = client.get("/cron/docs")
    print(answer.status_code, b"swagger" in answer.content.lower())
"""


def install(site: Environment, extra: str) -> None:
    """Install the extra, and see that it has brought something."""
    (wheel,) = (site.directory / "wheels").glob("*.whl")
    before = site.run("python -m pip freeze")
    site.run(["python", "-m", "pip", "install", "--quiet", f"{wheel}[{extra}]"])
    assert site.run("python -m pip freeze") != before


def free_address() -> str:
    """Return an address of this machine at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def signed_in(address: str) -> urllib.request.OpenerDirector | None:
    """Return a browser in which olive has signed in, or None while nobody answers."""
    browser = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(CookieJar())
    )
    url = f"{address}/admin/login/"
    try:
        _, form = get(browser, url)
    except OSError:
        return None
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form)
    assert token is not None, form
    fields = {"csrfmiddlewaretoken": token[1], "username": "olive", "password": "correct horse", "next": "/admin/"}
    with browser.open(url, urllib.parse.urlencode(fields).encode(), timeout=30) as answer:
        assert "olive" in answer.read().decode()
    return browser


def with_key(key: str) -> urllib.request.OpenerDirector:
    """Return a program that has the key."""
    program = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    program.addheaders = [("Authorization", f"Bearer {key}")]
    return program


def get(opener: urllib.request.OpenerDirector, url: str) -> tuple[int, str]:
    """Return the status and the body of an answer; raise `OSError` if it is none that is good."""
    with opener.open(url, timeout=30) as answer:
        return answer.status, answer.read().decode()


def newest_of(address: str, key: str, job: str, *, status: str) -> dict[str, Any] | None:
    """Return the newest execution of the job that has this status, or None."""
    found = json.loads(get(with_key(key), f"{address}/cron/executions?job={job}&status={status}")[1])
    return dict(found["executions"][0]) if found["executions"] else None
