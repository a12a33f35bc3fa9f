"""Web processes that refuse the same caller at the same time, and know nothing of each other."""

from __future__ import annotations

import subprocess
import sys

import pytest
from django.db.models import Sum

from cronjobs.models import AuditEntry
from tests.servers import ROOT, command_environment

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

REQUESTS = 30
# Refuses an address again and again once it is told to begin, and says how often it told observers so.
PROCESS = f"""
import django
django.setup()
from django.test import Client
from django.test.utils import setup_test_environment
from cronjobs.events import refused_repeatedly

setup_test_environment()
told = []
def tell(**_): told.append(1)
refused_repeatedly.connect(tell)
print("ready", flush=True)
input()
for _ in range({REQUESTS}):
    assert Client().get("/cron/status").status_code == 401
print(len(told))
"""


def test_two_processes_count_in_one_row_and_one_of_them_tells():
    command = [sys.executable, "-c", PROCESS]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, cwd=ROOT, env=command_environment(), **pipes) for _ in range(2)]  # noqa: S603 - our own
    try:
        for each in processes:
            assert each.stdout.readline() == "ready\n"
        for each in processes:
            each.stdin.write("\n")
            each.stdin.flush()
        told = [int(each.communicate(timeout=90)[0]) for each in processes]
    finally:
        for each in processes:
            each.kill()
            each.wait()

    assert sorted(told) == [0, 1]
    assert AuditEntry.objects.aggregate(sum=Sum("count"))["sum"] == 2 * REQUESTS
    # A minute may have ended meanwhile.
    begun = list(AuditEntry.objects.values_list("at", flat=True))
    assert len(begun) == len({at.replace(second=0, microsecond=0) for at in begun})
