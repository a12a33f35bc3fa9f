"""What `cronimport` has made and shown, for tests."""

from __future__ import annotations

import json

from cronjobs.models import Job

ZONE = ("--time-zone", "Europe/Berlin")


def columns_of(name):
    job = Job.objects.get(name=name)
    return job.definition, job.schedule, job.time_zone, job.params, job.paused


def outcomes(shown):
    return {each["jobName"] or each["name"]: each["outcome"] for each in json.loads(shown.out)["entries"]}
