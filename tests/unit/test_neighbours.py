"""Ids in statements: as few ranges where they are neighbours."""

from __future__ import annotations

import pytest
from django.db.models import Q

from cronjobs.retention.deleting import among, runs


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ([], []),
        ([7], [(7, 7)]),
        ([1, 2, 3], [(1, 3)]),
        ([1, 2, 4, 6, 7], [(1, 2), (4, 4), (6, 7)]),
    ],
)
def test_neighbours_make_one_run(ids, expected):
    assert runs(ids) == expected


def test_few_runs_are_ranges_and_nothing_between_them():
    assert among("pk", [1, 2, 5]) == Q(pk__gte=1, pk__lte=2) | Q(pk__gte=5, pk__lte=5)


@pytest.mark.parametrize("ids", [[], list(range(0, 200, 2))])
def test_many_runs_or_none_are_a_list(ids):
    assert among("pk", ids) == Q(pk__in=ids)
