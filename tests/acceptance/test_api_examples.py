"""What docs/api.md tells people to type does what it says: with curl, over HTTP, beside a node at work."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.authtoken.models import Token

from cronjobs import RetryPolicy, job
from cronjobs.alerting.looks import look_around
from cronjobs.database import read_clock
from cronjobs.executors.inline import perform_inline, run_inline
from cronjobs.models import Alert, AlertDelivery, ApiKey, Job, JobExecution, Node
from cronjobs.permissions import KEY_ACTIONS
from cronjobs.registry import JobDefinition, registry
from cronjobs.scheduler.node import NodeProcess
from tests.documentation import API
from tests.examples import Example, Shown, differences, read_examples
from tests.servers import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("_needs_curl"), pytest.mark.django_db(transaction=True)]

EXAMPLES = read_examples(API.read_text(encoding="utf-8"))
NODE = "web-1:4711:3fa9c1"
# Answers are read with their headers, and a server that says nothing is an error.
CURLRC = "silent\nshow-error\ninclude\nnoproxy = *\nmax-time = 110\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A site with a node, credentials for it, and executions under the numbers that the document uses."""

    site: str
    environment: Mapping[str, str]
    numbers: Mapping[str, int]
    node: str

    def ask(self, command: str) -> Shown:
        """Run a command of the document, and return what the site has answered."""
        command = command.replace("https://example.org", self.site).replace(NODE, self.node)
        command = re.sub(r"(?<=/executions/)\d+", lambda found: str(self.numbers[found[0]]), command)
        done = subprocess.run(  # noqa: S603 - the document's
            ["/bin/sh", "-c", command], env=self.environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        head, _, body = done.stdout.partition("\n\n")
        first, *lines = head.splitlines()
        return Shown(
            status=int(first.split()[1]), headers=dict(line.split(": ", 1) for line in lines), body=self._told(body)
        )

    def _told(self, body: str) -> str:
        """Return the body as the machine of the document would have told it."""
        return re.sub(rf'"{re.escape(socket.gethostname())}(?=[":])', '"web-1', body.replace(self.node, NODE))


@pytest.fixture(scope="module")
def _needs_curl() -> None:
    if shutil.which("curl") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("There is no curl on this machine.")
        pytest.skip("There is no curl on this machine.")


@pytest.fixture
def definitions() -> Iterator[list[JobDefinition]]:
    """Define the jobs that the document speaks of."""
    once_more = RetryPolicy(max_attempts=2, initial_delay=timedelta(0), jitter=0)
    definitions = [
        job(
            "send-digest",
            schedule="0 7 * * mon-fri",
            time_zone="Europe/Berlin",
            retry=once_more,
            runbook_url="https://wiki.example.org/send-digest",
        )(send_digest),
        job("load")(load),
        job("report", depends_on=["load"], queue="heavy")(report),
    ]
    yield definitions
    for each in definitions:
        registry.remove(each.name)


@pytest.fixture
def numbers(transactional_db: None, definitions: list[JobDefinition]) -> Mapping[str, int]:
    """Let the jobs run, and return the executions by the numbers that they have in the document."""
    Job.objects.update(schedule="")
    Job.objects.ensure(definitions)
    Job.objects.filter(name="send-digest").update(owner="Editorial")
    Job.objects.create(name="send-digest-weekly", definition="send-digest", schedule="0 7 * * mon", params={"days": 7})
    tomorrow = timezone.now() + timedelta(days=1)
    executions = {
        "4710": run_inline("send-digest", params={"days": 2}, requested_by="ann"),
        "4711": perform_inline(run_inline("send-digest", params={"days": 365}, requested_by="ann")),
        "4712": JobExecution.objects.request("send-digest", run_after=tomorrow, requested_by="ann"),
        "4720": run_inline("load"),
    }
    look_around(read_clock("default"))
    AlertDelivery.objects.create(
        alert=Alert.objects.get(), notifier="ops", status="sent", attempts=1, sent_at=timezone.now()
    )
    return {number: each.pk for number, each in executions.items()}


@pytest.fixture
def node(numbers: Mapping[str, int]) -> Iterator[NodeProcess]:
    """Start a node, which lets run what depends on what has run."""
    node = NodeProcess(workers=2)
    node.start()
    try:
        wait_for(lambda: JobExecution.objects.filter(job_name="report", status="succeeded").exists())
        wait_for(lambda: Node.objects.filter(last_tick_at__isnull=False).exists())
        yield node
    finally:
        node.stop(grace=timedelta(seconds=10))


@pytest.fixture
def environment(transactional_db: None, tmp_path: Path, django_user_model: Any) -> Mapping[str, str]:
    """Give a shell what the document takes for granted: a key and a token, of somebody who may do everything."""
    user = django_user_model.objects.create_superuser("ann")
    _, key = ApiKey.objects.issue(user=user, name="of the document", actions=KEY_ACTIONS)
    token = Token.objects.create(user=user).key
    (tmp_path / ".curlrc").write_text(CURLRC)
    return {"PATH": os.environ["PATH"], "CURL_HOME": str(tmp_path), "KEY": key, "TOKEN": token}


@pytest.fixture
def site_settings(mongo_server: str, settings: Any) -> None:
    """Give the site a MongoDB, and let it wait for results however busy the machine is."""
    settings.CRONJOBS = {"EXECUTE_TIMEOUT": 90, "MONGODB_URI": mongo_server}


@pytest.fixture
def world(
    numbers: Mapping[str, int],
    node: NodeProcess,
    environment: Mapping[str, str],
    live_server: Any,
    site_settings: None,
) -> World:
    return World(site=live_server.url, environment=environment, numbers=numbers, node=node.name)


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_what_is_typed_is_answered_as_shown(world: World, example: Example) -> None:
    for command, shown in example.steps():
        found = world.ask(command)
        assert found.status == shown.status, found.body
        for name, value in shown.headers.items():
            assert differences(value, found.headers.get(name, "")) == [], name
        if shown.body is not None:
            assert found.body is not None
            assert differences(shown.body, found.body) == [], found.body


def send_digest(context: Any, *, days: int = 1) -> dict[str, int]:
    """Mail to everybody what is new."""
    context.log.start("Collecting", data={"days": days})
    if days > 31:
        raise ConnectionError("smtp.example.org does not answer")
    context.log.complete("Sent")
    return {"sent": 12}


def load(context: Any) -> dict[str, int]:
    """Fetch the figures of the day."""
    return {"rows": 310}


def report(context: Any) -> None:
    """Draw what has been loaded."""
