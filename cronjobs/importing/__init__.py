"""What other schedulers run, read without running any of it, and what it becomes here.

Each source has a module that makes entries of it: pure code, which is given text or rows. `tables` alone reads
a database, `planning` compares entries with definitions and jobs, `applying` writes. Only a command asks, so
sentences are in English.
"""

from __future__ import annotations

from cronjobs.importing.applying import Applied, apply
from cronjobs.importing.celery_beat import read_celery_beat
from cronjobs.importing.crontab import read_crontab
from cronjobs.importing.entries import Entry, Reading, Unreadable
from cronjobs.importing.planning import Finding, Outcome, plan
from cronjobs.importing.rules import Rule, parse_rule, rules_in
from cronjobs.importing.schedule_file import read_schedule_file
from cronjobs.importing.stored_jobs import read_stored_jobs
from cronjobs.importing.tables import TableMissing, celery_beat_tables, stored_job_rows

__all__ = [
    "Applied",
    "Entry",
    "Finding",
    "Outcome",
    "Reading",
    "Rule",
    "TableMissing",
    "Unreadable",
    "apply",
    "celery_beat_tables",
    "parse_rule",
    "plan",
    "read_celery_beat",
    "read_crontab",
    "read_schedule_file",
    "read_stored_jobs",
    "rules_in",
    "stored_job_rows",
]
