"""Exactly the expected messages, from real nodes, to a real mail server and a real web server."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from itertools import zip_longest
from typing import Any

import pytest

from cronjobs.models import AlertDelivery, AlertNotice, AlertRound, Job, JobExecution, Node
from project.processes import stop
from tests.acceptance.conftest import StartNode, freeze
from tests.receivers import Mailbox, Receiver, receiving, receiving_mail
from tests.servers import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
# The third, and the recovery; whoever fails below the threshold fails, and recovers, in silence.
I5 = ("FFFFFFF", "FFFFFSFFS")


class Ops:
    """Whoever is told: a mailbox and a web server, and what nodes have to know to reach both."""

    def __init__(self, mailbox: Mailbox, receiver: Receiver) -> None:
        self.mailbox, self.receiver = mailbox, receiver
        self.settings: dict[str, Any] = {
            "NOTIFIERS": {
                "ops": {"CLASS": "email", "TO": ["ops@example.com"]},
                "hook": {"CLASS": "webhook", "URL": receiver.address, "SECRET": "whsec_" + "c2VjcmV0" * 4},
            },
            "ALERTS": {"INTERVAL": 0.5},
            # A busy machine keeps a node silent for seconds.
            "LEASE": 15,
            "BASE_URL": "https://site.example.com",
        }

    def letters(self) -> list[str]:
        """Return the subject lines of all letters, in the order in which they came."""
        return [str(each["Subject"]).removeprefix("[cronjobs] ") for each in self.mailbox.letters]

    def posts(self) -> list[str]:
        """Return the titles of everything that the web server got, in the order in which it came."""
        return [each.json["data"]["title"] for each in self.receiver.received]

    def by_job(self, titles: list[str]) -> dict[str, list[str]]:
        found: defaultdict[str, list[str]] = defaultdict(list)
        for title in titles:
            found[title.split()[1]].append("over" if "recovered" in title else "failing")
        return found


@pytest.fixture
def ops(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ops]:
    """Somebody with a mailbox and a web server."""
    with receiving_mail() as (mailbox, port), receiving() as receiver:
        monkeypatch.setenv("TEST_EMAIL_PORT", str(port))
        yield Ops(mailbox, receiver)


def job(name: str = "backup", **columns: Any) -> None:
    """Make a job that fails when it is told to, and is tried three times then."""
    Job.objects.create(name=name, definition="advances", schedule="", owner="ann", **columns)


def run(**outcomes: str) -> None:
    """Run each job again and again, one execution after another: F fails with all its attempts, S succeeds."""
    for letters in zip_longest(*outcomes.values()):
        for name, letter in zip(outcomes, letters, strict=True):
            if letter is not None:
                JobExecution.objects.request(name, params={"done": 0, "seconds": 0, "fails": letter == "F"})
        wait_for(lambda: not JobExecution.objects.open().exists())


def wait_until_all_is_told() -> None:
    """Wait until nothing runs, somebody has looked twice since, and nothing is to be sent any more."""
    wait_for(lambda: not JobExecution.objects.open().exists())
    wait_for(lambda: not AlertNotice.objects.exists())
    for _ in range(2):
        seen = looked_at()
        wait_for(partial(_has_looked_since, seen))
    wait_for(lambda: not AlertDelivery.objects.filter(status="pending").exists())


def _has_looked_since(seen: datetime) -> bool:
    return looked_at() > seen


def looked_at() -> datetime:
    return wait_for(lambda: AlertRound.objects.values_list("looked_at", flat=True).first())


def test_failure_notices_do_not_storm(start_node: StartNode, ops: Ops):
    job(alert_after=3)
    before, after = I5
    first = [start_node(**ops.settings), start_node(**ops.settings)]
    run(backup=before)
    wait_until_all_is_told()

    stop(first)
    start_node(**ops.settings)
    start_node(**ops.settings)
    run(backup=after)
    wait_until_all_is_told()

    expected = ["Job backup is failing", "Job backup has recovered"]
    assert (ops.letters(), ops.posts()) == (expected, expected)
    failing, recovered = (each.json["data"] for each in ops.receiver.received)
    third, thirteenth = JobExecution.objects.order_by("pk")[2], JobExecution.objects.order_by("pk")[12]
    assert (failing["executionId"], recovered["executionId"]) == (third.pk, thirteenth.pk)
    assert (failing["attempt"], failing["maxAttempts"], failing["owner"]) == (3, 3, "ann")
    assert failing["error"]["message"] == "boom"
    assert [line["message"] for line in failing["logLines"]][-1:] != []
    assert failing["links"]["execution"].startswith("https://site.example.com/")
    assert ops.mailbox.recipients == [["ops@example.com"]] * 2
    assert "boom" in ops.mailbox.letters[0].get_body(("plain",)).get_content()


SCRIPTS = {
    "once": (1, "F", ["failing"]),
    "long": (1, "FFFFFF", ["failing"]),
    "heals": (1, "FFS", ["failing", "over"]),
    "flaps": (1, "FSFSF", ["failing", "over", "failing", "over", "failing"]),
    "alternates": (2, "FSFSFS", []),
    "twice": (2, "SFFSFFF", ["failing", "over", "failing"]),
    "nearly": (3, "FFSFFS", []),
    "well": (1, "SSS", []),
}


def test_each_job_gives_exactly_its_messages_in_order(start_node: StartNode, ops: Ops):
    for name, (after, _, _) in SCRIPTS.items():
        job(name, alert_after=after)

    start_node(**ops.settings)
    start_node(**ops.settings)
    run(**{name: outcomes for name, (_, outcomes, _) in SCRIPTS.items()})
    wait_until_all_is_told()

    expected = {name: told for name, (_, _, told) in SCRIPTS.items() if told}
    assert ops.by_job(ops.letters()) == expected
    assert ops.by_job(ops.posts()) == expected


def test_a_node_that_is_killed_gives_one_message_for_it_and_one_for_what_it_had(start_node: StartNode, marks, ops: Ops):
    marks.job(seconds=60)
    victim = start_node(**ops.settings)
    JobExecution.objects.request("marks")
    wait_for(marks.lines)
    name = Node.objects.get().name
    start_node(**ops.settings)
    Job.objects.filter(name="marks").update(params={})

    freeze(victim)
    wait_for(lambda: JobExecution.objects.get().status == "lost")
    wait_for(lambda: len(ops.receiver.received) >= 2)
    wait_until_all_is_told()

    assert sorted(ops.posts()) == sorted(["Job marks has lost an execution", f"Node {name} is gone"])
    assert sorted(ops.letters()) == sorted(ops.posts())
    victim.process.kill()
