"""What a job logs, and to whom it belongs."""

from __future__ import annotations

import logging
import threading

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

    lines = log.take()
    assert all(len(line.message.encode()) <= 100 for line in lines)
    assert sum("The log is full (1000 bytes)" in line.message for line in lines) == 1
    assert len(lines) - 1 + log.discarded == 50


def test_the_handler_is_shared_by_nested_uses_and_gone_afterwards():
    before = list(logging.getLogger().handlers)

    with python_logging_captured(), python_logging_captured():
        assert len(logging.getLogger().handlers) == len(before) + 1

    assert logging.getLogger().handlers == before
