"""That nobody takes work is said in the same words wherever it matters."""

from __future__ import annotations

import pytest
from django.utils import timezone

from tests.integration.admin.pages import DASHBOARD, JOBS, get, messages_of, run_url, switch_url, text_of

NONE_ALIVE = "No node is alive: nothing runs until “manage.py runcron” is started."
ALL_DRAIN = (
    "Every node that is alive is draining: nothing new is decided or started until another “manage.py runcron” is."
)


@pytest.mark.parametrize(
    ("nodes", "sentence"),
    [
        ({}, NONE_ALIVE),
        ({"a:1": {"stopped_at": timezone.now()}}, NONE_ALIVE),
        ({"a:1": {"drain_requested_at": timezone.now()}}, ALL_DRAIN),
        ({"a:1": {"drain_requested_at": timezone.now()}, "b:1": {}}, ""),
    ],
    ids=["no node", "one that stopped", "one that drains", "one at work"],
)
def test_every_page_says_the_same_of_nobody_at_work(superuser, make_job, make_node, nodes, sentence):
    job = make_job("noop", enabled=False)
    for name, columns in nodes.items():
        make_node(name, **columns)

    said = [
        text_of(get(superuser, JOBS)),
        text_of(get(superuser, DASHBOARD)),
        " ".join(messages_of(superuser.post(run_url(job), follow=True))),
        " ".join(messages_of(superuser.post(switch_url(job, "enable"), follow=True))),
    ]

    for text in said:
        assert [each for each in (NONE_ALIVE, ALL_DRAIN) if each in text] == ([sentence] if sentence else [])
