"""What a job prints becomes its lines, and nothing else changes."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import threading
from contextvars import copy_context

import pytest

from cronjobs.capture import diverted, standard_streams_captured, undiverted


class Said(list[str]):
    """The lines of one stream."""

    def __call__(self, line):
        self.append(line)


@pytest.fixture
def out():
    return Said()


@pytest.fixture
def err():
    return Said()


@contextlib.contextmanager
def captured(out, err, *, longest=100):
    with standard_streams_captured(), diverted(out, err, longest=longest):
        yield


def test_prints_become_lines_and_do_not_reach_the_real_stream(out, err, capsys):
    with captured(out, err):
        print("one")
        print("two\nthree", "four", sep="|")
        print("to standard error", file=sys.stderr)
        sys.stdout.writelines(["five\n", "six\n"])

    assert out == ["one", "two", "three|four", "five", "six"]
    assert err == ["to standard error"]
    assert capsys.readouterr() == ("", "")


def test_a_line_may_come_in_pieces_and_without_an_end(out, err):
    with captured(out, err):
        print("a", end="")
        print("b", end="", flush=True)
        sys.stdout.flush()
        assert out == []
        print()
        print("\n\n", end="  ")
        sys.stdout.write("c")

    assert out == ["ab", "  c"]


def test_bytes_and_text_make_one_stream(out, err):
    with captured(out, err):
        encoded = "ü é\n".encode()
        sys.stdout.write("text ")
        assert sys.stdout.buffer.write(encoded[:1]) == 1
        sys.stdout.buffer.write(encoded[1:])
        sys.stdout.buffer.flush()
        # A wrapper closes what it wraps when it goes.
        wrapper = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8", write_through=True)
        wrapper.write("wrapped\n")
        wrapper.close()
        sys.stdout.buffer.write(b"\xff bad\n")
        sys.stdout.buffer.write(encoded[:1])

    assert out == ["text ü é", "wrapped", "\ufffd bad", "\ufffd"]


def test_a_line_without_end_takes_no_more_memory_than_it_may(out, err):
    with captured(out, err, longest=100):
        for _ in range(1_000):
            sys.stdout.write("x" * 10_000)
        print("\nnext")
        for _ in range(100_000):
            sys.stdout.write("y")

    assert out == ["x" * 101, "next", "y" * 101]


def test_what_is_written_over_is_not_a_line(out, err):
    with captured(out, err, longest=100):
        print("with windows' end\r")
        for number in range(1_000):
            print(f"\rlike a bar {number}", end="")
        print()
        for number in range(1_000):
            print(f"like a counter {number}", end="\r")
        print("\nend")

    assert out == ["with windows' end", "like a bar 999", "like a counter 999", "end"]


def test_each_thread_has_its_own_and_the_others_print_as_ever(capsys):
    said = [Said() for _ in range(4)]
    barrier = threading.Barrier(5)

    def work(number):
        with diverted(said[number], said[number], longest=100):
            barrier.wait()
            for line in range(1_000):
                print(f"{number}: {line}")

    with standard_streams_captured():
        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        barrier.wait()
        for line in range(1_000):
            print(f"main: {line}")
        for thread in threads:
            thread.join()

    for number, lines in enumerate(said):
        assert lines == [f"{number}: {line}" for line in range(1_000)]
    assert capsys.readouterr().out.splitlines() == [f"main: {line}" for line in range(1_000)]


def test_the_streams_are_the_original_objects_afterwards(out, err):
    before = sys.stdout, sys.stderr

    with standard_streams_captured(), captured(out, err):
        assert (sys.stdout, sys.stderr) != before
        with captured(Said(), Said()):
            pass
        print("still here")

    assert (sys.stdout, sys.stderr) == before
    assert out == ["still here"]


def test_a_stream_that_a_job_replaces_is_put_back(out, err, caplog):
    before, own = sys.stdout, io.StringIO()

    with standard_streams_captured():
        with diverted(out, err, longest=100):
            sys.stdout = own
            print("mine")
        with diverted(out, err, longest=100):
            print("next job")

    assert sys.stdout is before
    assert (own.getvalue(), out) == ("mine\n", ["next job"])
    assert "has left sys.stdout or sys.stderr replaced" in caplog.text


def test_a_job_may_redirect_for_a_while(out, err, caplog):
    with captured(out, err):
        with contextlib.redirect_stdout(io.StringIO()) as own:
            print("mine")
        print("the log's")

    assert (own.getvalue(), out, caplog.text) == ("mine\n", ["the log's"], "")


def test_whoever_replaces_a_stream_later_keeps_it(monkeypatch):
    own = io.StringIO()

    with standard_streams_captured():
        monkeypatch.setattr(sys, "stdout", own)

    assert sys.stdout is own


def test_threads_of_a_job_have_no_context_unless_they_are_given_it(out, err, capsys):
    with captured(out, err):
        bare = threading.Thread(target=print, args=("bare",))
        given = threading.Thread(target=copy_context().run, args=(print, "given"))
        for thread in (bare, given):
            thread.start()
            thread.join()

    assert out == ["given"]
    assert capsys.readouterr().out == "bare\n"


def test_a_thread_that_outlives_its_job_prints_as_ever(out, err, capsys):
    with standard_streams_captured():
        with diverted(out, err, longest=100):
            context = copy_context()
        context.run(print, "late")

    assert out == []
    assert capsys.readouterr().out == "late\n"


def test_a_sink_may_print(capsys):
    def sink(line):
        print(f"sink: {line}")

    with captured(sink, sink):
        print("one")
        with undiverted():
            print("past the sink")

    assert capsys.readouterr().out == "sink: one\npast the sink\n"


def test_the_rest_of_a_stream_is_the_original_ones(out, err, capfd):
    with standard_streams_captured():
        encoding, number = sys.stdout.encoding, sys.stdout.fileno()
        with diverted(out, err, longest=100):
            assert (sys.stdout.encoding, sys.stdout.fileno(), sys.stdout.isatty()) == (encoding, number, False)
            sys.stdout.close()
            print("not closed")
            with pytest.raises(TypeError, match="must be str, not bytes"):
                sys.stdout.write(b"bytes")
            subprocess.run([sys.executable, "-c", "print('child')"], stdout=sys.stdout, check=True)
        print("outside")
        sys.stdout.flush()

    assert out == ["not closed"]
    assert sorted(capfd.readouterr().out.split()) == ["child", "outside"]


def test_a_process_that_a_job_forks_prints_as_ever(out, err, capfd):
    with captured(out, err):
        child = os.fork()
        if child == 0:
            print("child", flush=True)
            os._exit(0)
        os.waitpid(child, 0)

    assert out == []
    assert capfd.readouterr().out == "child\n"


def test_without_a_terminal_or_anything_else_jobs_still_have_their_lines(out, err, monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)

    with standard_streams_captured():
        with diverted(out, err, longest=100):
            print("heard")
            sys.stdout.flush()
        print("lost")
        sys.stdout.flush()
        sys.stdout.close()
        assert not sys.stdout.isatty()

    assert sys.stdout is None
    assert out == ["heard"]


def test_nothing_is_diverted_where_nobody_captures(out, err, capsys):
    with diverted(out, err, longest=100):
        print("as ever")

    assert out == []
    assert capsys.readouterr().out == "as ever\n"
