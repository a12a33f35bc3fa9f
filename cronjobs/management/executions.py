"""The executions that a command's arguments name."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Iterable

from django.core.management.base import CommandError

from cronjobs.models import JobExecution
from cronjobs.parsing import row_id


def number(text: str) -> int:
    """Return the number of an execution that an argument says, with or without the #."""
    found = row_id(text.removeprefix("#"))
    if found is None:
        raise ArgumentTypeError(f"{text!r} is not the number of an execution, such as 4711.")
    return found


def numbered(numbers: Iterable[int]) -> list[JobExecution]:
    """Return the executions of those numbers, in that order, each once; exit code 2 if one of them is not there."""
    wanted = list(dict.fromkeys(numbers))
    found = JobExecution.objects.only("job_name", "status").in_bulk(wanted)
    if missing := [str(each) for each in wanted if each not in found]:
        raise CommandError(f"There is no execution {' or '.join(missing)}. Nothing was done.", returncode=2)
    return [found[each] for each in wanted]
