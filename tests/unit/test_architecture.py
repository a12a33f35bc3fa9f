"""The picture of the architecture shows the rooms that there are, and docs/architecture.md tells of each of them."""

from __future__ import annotations

import re
from html import unescape
from importlib.util import find_spec

import pytest

from tests.architecture import (
    MEANING,
    PAGE,
    PICTURE,
    WAY,
    known,
    layers,
    picture,
    purpose,
    rooms,
    with_rooms_table,
)

TEXT = PAGE.read_text(encoding="utf-8")
DRAWN = PICTURE.read_text(encoding="utf-8")


def test_the_picture_is_up_to_date():
    assert picture() == DRAWN, "Run: .venv/bin/python -m tests.architecture"


def test_the_picture_shows_every_room_once_and_no_other():
    shown = re.findall(r'<rect class="room[^>]*/><text [^>]*>(\w+)', DRAWN)

    assert sorted(shown) == sorted(rooms())


def test_every_room_has_its_layer():
    assert sorted(each for layer in layers() for each in layer) == sorted(rooms())


@pytest.mark.parametrize("module", [module for module, _ in WAY])
def test_the_way_of_a_due_time_leads_through_modules_that_exist(module):
    assert find_spec(f"cronjobs.{module}") is not None


def test_a_library_that_one_room_knows_is_named_in_the_picture():
    assert known()["scheduler"] == "APScheduler"
    assert all(f" · {library}" in unescape(DRAWN) for library in known().values())


def test_what_is_said_of_layers_is_said_of_some_that_exist():
    assert MEANING.keys() <= rooms()


def test_the_table_of_rooms_is_up_to_date():
    assert with_rooms_table(TEXT) == TEXT, "Run: .venv/bin/python -m tests.architecture"


@pytest.mark.parametrize("name", sorted(rooms()))
def test_every_room_says_what_it_is_for(name):
    assert purpose(name)
