"""The line that says how far a command has come."""

from __future__ import annotations

from io import StringIO

import pytest
import time_machine
from django.core.management.base import OutputWrapper

from cronjobs.management.output import Painted, table
from cronjobs.management.progress import progress_line, progress_text


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("done", "total", "expected"),
    [
        (0, 40, "[                    ]   0 % rows"),
        (20, 40, "[##########          ]  50 % rows"),
        (39, 40, "[################### ]  97 % rows"),
        (40, 40, "[####################] 100 % rows"),
        (41, 40, "[####################] 100 % rows"),
        (0, 0, "[####################] 100 % rows"),
    ],
)
def test_a_bar_and_a_percentage(done, total, expected):
    assert progress_text(done, total, "rows", width=80) == expected


def test_it_fits():
    assert progress_text(1, 2, "x" * 100, width=40) == "[##########          ]  50 % " + "x" * 11


def test_it_rewrites_itself_and_is_gone_in_the_end():
    terminal = Terminal()
    with progress_line(OutputWrapper(terminal)) as line:
        line.show(1, 2, "rows")
        line.report("Row 1 is odd.")

    shown, odd = terminal.getvalue().split("\r\x1b[K")
    assert shown == "\r[##########          ]  50 % rows\x1b[K"
    assert odd == "Row 1 is odd.\n"


def test_it_is_not_rewritten_more_often_than_anybody_could_read():
    terminal = Terminal()
    with time_machine.travel(0, tick=False), progress_line(OutputWrapper(terminal)) as line:
        for number in range(100):
            line.show(number, 100, "rows")

    assert terminal.getvalue().count("% rows") == 1


@pytest.mark.parametrize(("stream", "is_wanted"), [(StringIO, True), (Terminal, False)])
def test_without_a_terminal_or_if_nobody_wants_it_there_is_none(stream, is_wanted):
    output = stream()
    with progress_line(OutputWrapper(output), is_wanted=is_wanted) as line:
        line.show(1, 2, "rows")
        line.report("Row 1 is odd.")

    assert output.getvalue() == "Row 1 is odd.\n"


def test_a_coloured_cell_takes_the_room_of_its_text():
    def paint(text):
        return f"<b>{text}</b>"

    rows = [("first", Painted("failed", paint)), (Painted("second, which is long", paint), "ok")]

    assert table(("JOB", "LAST"), rows, width=20) == [
        "JOB           LAST",
        "first         <b>failed</b>",
        "<b>second, whi…</b>  ok",
    ]
    assert table(("JOB", "LAST"), rows, width=None)[2] == "<b>second, which is long</b>  ok"
