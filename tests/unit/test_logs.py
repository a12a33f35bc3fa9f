"""What a job logs, and to whom it belongs."""

from __future__ import annotations

import json
import logging
import threading

import pytest

from cronjobs.logs import JobLogger, LogCollector, collecting, create_job_logger, process_log, python_logging_captured


def collector(execution_id=1):
    return LogCollector(execution_id=execution_id, attempt=1)


def texts(log):
    return [(line.number, line.level, line.message) for line in log.take()]


def test_every_kind_of_line_is_kept_in_order():
    log = collector()
    logger = JobLogger("a", log)

    logger.start("one", data={"n": 1})
    logger.progress("two")
    logger.warn("three")
    logger.error("four", ValueError("bad"))
    logger.debug("five")
    logger.complete()

    assert texts(log) == [
        (1, logging.INFO, "one"),
        (2, logging.INFO, "two"),
        (3, logging.WARNING, "three"),
        (4, logging.ERROR, "four: ValueError: bad"),
        (5, logging.DEBUG, "five"),
        (6, logging.INFO, "Completed"),
    ]


def test_secrets_in_data_are_masked():
    log = collector()

    JobLogger("a", log).start(data={"token": "x", "n": 1})

    assert log.take()[0].data == {"token": "***", "n": 1}


def test_lines_go_to_the_process_log_as_structured_records(caplog):
    with caplog.at_level(logging.INFO, process_log.name):
        JobLogger("a", collector(7)).progress("half", data={"done": 5})

    record = caplog.records[-1]
    assert record.getMessage() == "a: half"
    assert (record.job, record.execution_id, record.data) == ("a", 7, {"done": 5})


def test_pythons_own_logging_inside_a_job_is_that_jobs():
    log = collector()

    with python_logging_captured(), collecting(log):
        logging.getLogger("a.library").warning("From %s", "inside")
    logging.getLogger("a.library").warning("From outside")

    assert texts(log) == [(1, logging.WARNING, "From inside")]


def test_a_logger_made_anywhere_finds_the_execution_it_is_used_in():
    log = collector()
    logger = create_job_logger("a")

    logger.progress("outside")
    with collecting(log):
        logger.progress("inside")

    assert texts(log) == [(1, logging.INFO, "inside")]


def test_concurrent_jobs_never_mix():
    logs = [collector(number) for number in range(4)]
    barrier = threading.Barrier(len(logs))

    def work(log):
        with collecting(log):
            barrier.wait()
            for _ in range(500):
                logging.getLogger("shared").warning("%d", log.execution_id)
                create_job_logger("a").progress(str(log.execution_id))

    with python_logging_captured():
        threads = [threading.Thread(target=work, args=(log,)) for log in logs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    for number, log in enumerate(logs):
        lines = log.take()
        assert len(lines) == 1_000
        assert {line.message for line in lines} == {str(number)}


def test_the_log_is_capped_and_says_so_once(settings):
    settings.CRONJOBS = {"LOG_MAX_BYTES": 1_000, "LOG_MESSAGE_MAX_BYTES": 100}
    log = collector()
    logger = JobLogger("a", log)

    for _ in range(50):
        logger.progress("x" * 1_000)

    log.close()
    lines = log.take()
    assert all(len(line.message.encode()) <= 100 for line in lines)
    assert sum("The log is full (1000 bytes)" in line.message for line in lines) == 1
    assert lines[-1].message == f"The log was full: {50 - (len(lines) - 2)} lines were not kept."


def test_a_log_that_was_not_full_ends_without_a_word():
    log = collector()
    JobLogger("a", log).progress("all there is")

    log.close()

    assert texts(log) == [(1, logging.INFO, "all there is")]


@pytest.mark.parametrize(
    "data", [pytest.param({"text": "ü" * 1_000}, id="text"), pytest.param({"n": list(range(10_000))}, id="numbers")]
)
def test_data_is_cut_like_a_message(settings, data):
    settings.CRONJOBS = {"LOG_MESSAGE_MAX_BYTES": 100}
    log = collector()

    JobLogger("a", log).progress("much", data=data)
    JobLogger("a", log).progress("little", data={"n": 1})

    cut, whole = (line.data for line in log.take())
    assert cut["truncated"] is True
    assert 90 < len(cut["text"].encode()) <= 100
    assert whole == {"n": 1}


@pytest.mark.parametrize(
    ("message", "data"),
    [
        pytest.param("x" * 10, None, id="text"),
        pytest.param("☃" * 30, None, id="text-of-many-bytes"),
        pytest.param("", {"n": "☃" * 100}, id="data"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_a_log_exceeds_its_cap_by_one_line_at_most(settings, message, data):
    settings.CRONJOBS = {"LOG_MAX_BYTES": 1_000, "LOG_MESSAGE_MAX_BYTES": 100}
    log = collector()

    for _ in range(200):
        JobLogger("a", log).progress(message, data=data)

    *kept, last = log.take()
    assert "The log is full" in last.message
    size = sum(len(line.message.encode()) + len(json.dumps(line.data, ensure_ascii=False).encode()) for line in kept)
    assert size <= 1_000 + 100 + 100 + len('{"truncated": true, "text": ""}') * len(kept)


def test_a_level_that_no_database_holds_is_the_nearest_that_one_does():
    log = collector()

    with python_logging_captured(), collecting(log):
        logging.getLogger("a.library").log(10**9, "loud")

    assert texts(log) == [(1, 32_767, "loud")]


def test_data_that_cannot_be_measured_is_no_error():
    class Odd(dict[str, int]):
        def __len__(self):
            raise TypeError

    log = collector()

    JobLogger("a", log).progress("odd", data=Odd(n=1))

    assert log.take()[0].data == {"n": 1}


def test_the_handler_is_shared_by_nested_uses_and_gone_afterwards():
    before = list(logging.getLogger().handlers)

    with python_logging_captured(), python_logging_captured():
        assert len(logging.getLogger().handlers) == len(before) + 1

    assert logging.getLogger().handlers == before
