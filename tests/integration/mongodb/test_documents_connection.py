from __future__ import annotations

import os
import pickle
import traceback
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from mongoengine.errors import OperationError
from pymongo.errors import BulkWriteError, DuplicateKeyError, NetworkTimeout, NotPrimaryError, OperationFailure

from cronjobs.documents import (
    LegacyConversationState,
    count_conversations,
    database,
    describe_hosts,
    errors_reported,
    is_configured,
    patience_limited,
    ping,
)
from cronjobs.exceptions import InvalidSettings, MongoUnavailable
from cronjobs.retries import RetryPolicy
from tests.integration.mongodb.evidence import NOW, UNREACHABLE

pytestmark = [pytest.mark.mongo, pytest.mark.sqlite_only]


def test_a_ping_says_how_long_the_server_took(mongodb):
    assert is_configured()
    assert timedelta(0) < ping() < timedelta(seconds=3)


def test_without_a_uri_nothing_is_configured_and_asking_says_so(settings):
    settings.CRONJOBS = {}

    assert not is_configured()
    with pytest.raises(InvalidSettings, match="MONGODB_URI'\\] is not set"):
        ping()


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        pytest.param("mongodb://127.0.0.1:9/chat?retryWrites=false", "chat", id="named"),
        pytest.param("mongodb://127.0.0.1:9", "test", id="as Mongoose does"),
        pytest.param("mongodb://127.0.0.1:9/?appName=x", "test", id="options only"),
    ],
)
def test_the_path_of_the_uri_names_the_database(settings, uri, name):
    settings.CRONJOBS = {"MONGODB_URI": uri}

    assert database().name == name


@pytest.mark.parametrize(
    "uri",
    [
        "s3cret",
        "http://user:s3cret@host/db",
        "mongodb://",
        "mongodb://user:s3cret/word@host/db",
        "mongodb://user:s3cret@word@host/db",
        "mongodb://user:s3cret",
        "mongodb://user:s3cret@host:99999999/db",
        "mongodb://user:s3cret@host/d b",
        "mongodb://user:s3cret@host/db?tls=true&tlsCAFile=/nowhere/s3cret.pem",
    ],
)
def test_a_uri_that_cannot_be_used_is_refused_without_quoting_it(settings, uri):
    settings.CRONJOBS = {"MONGODB_URI": uri}

    with pytest.raises(InvalidSettings, match="MONGODB_URI'\\] cannot be used") as caught:
        ping()

    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("uri", "hosts"),
    [
        pytest.param("mongodb://h", "h", id="bare"),
        pytest.param("mongodb://user:s3cret@a:1,b:2/db?x=y", "a:1,b:2", id="several"),
        pytest.param("mongodb+srv://user@cluster.example.com/?x=y", "cluster.example.com", id="srv"),
        pytest.param("mongodb://user:s3cret@[::1]:27017/db", "[::1]:27017", id="IPv6"),
        pytest.param("mongodb://%2Ftmp%2Fmongodb.sock/db", "%2Ftmp%2Fmongodb.sock", id="socket"),
        pytest.param("mongodb://user:s3/cret@host/db", "an address that cannot be read", id="slash in password"),
        pytest.param("mongodb://user:s3?cret@host", "an address that cannot be read", id="question mark in password"),
        pytest.param("mongodb://user:s3@cret@host", "an address that cannot be read", id="at sign in password"),
        pytest.param("s3cret", "an address that cannot be read", id="no URI"),
    ],
)
def test_hosts_are_named_and_never_a_part_of_a_password(uri, hosts):
    assert describe_hosts(uri) == hosts


def test_an_unreachable_server_is_named_without_the_password(settings):
    settings.CRONJOBS = {"MONGODB_URI": UNREACHABLE, "MONGODB_TIMEOUT": 0.1}

    with pytest.raises(MongoUnavailable, match=r"^MongoDB at 127\.0\.0\.1:9 is not available: .*refused") as caught:
        count_conversations(NOW)

    text = "".join(traceback.format_exception(caught.value))
    assert "s3cret" not in text
    assert "reader" not in text
    assert "\n" not in str(caught.value)


def test_a_host_without_an_address_is_unavailable(settings):
    settings.CRONJOBS = {"MONGODB_URI": "mongodb+srv://reader:s3cret@cluster.invalid/chat", "MONGODB_TIMEOUT": 1}

    with pytest.raises(MongoUnavailable, match=r"^MongoDB at cluster\.invalid is not available"):
        ping()


def test_a_wrong_password_is_unavailable_and_not_shown(mongodb_uri, settings):
    settings.CRONJOBS = {"MONGODB_URI": mongodb_uri.replace("://", "://reader:s3cret@")}

    with pytest.raises(MongoUnavailable, match=r"(?i)authentication failed") as caught:
        ping()

    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


def test_the_setting_says_how_long_to_look_for_a_server_and_a_caller_may_say_less(settings):
    settings.CRONJOBS = {"MONGODB_URI": UNREACHABLE, "MONGODB_TIMEOUT": 30}
    assert selection_timeout() == 30

    with patience_limited(timedelta(seconds=3)):
        assert selection_timeout() == 3
    with patience_limited(timedelta(minutes=5)):
        assert selection_timeout() == 30
    assert selection_timeout() == 30


def test_a_changed_setting_is_followed(mongodb, settings):
    settings.CRONJOBS = {**settings.CRONJOBS, "MONGODB_URI": UNREACHABLE, "MONGODB_TIMEOUT": 0.1}
    with pytest.raises(MongoUnavailable):
        ping()

    settings.CRONJOBS = {"MONGODB_URI": "mongodb://127.0.0.1:9/other"}
    assert LegacyConversationState.objects._collection.database.name == "other"
    assert LegacyConversationState._get_db().name == "other"


def test_all_threads_share_one_client(mongodb):
    with ThreadPoolExecutor(8) as pool:
        clients = {id(each.client) for each in pool.map(lambda _: database(), range(64))}

    assert len(clients) == 1


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_forked_process_makes_a_client_of_its_own(mongodb):
    mongodb["conversation_states"].insert_one({"phone": "1"})
    assert LegacyConversationState.objects.count() == 1
    parents = database().client

    child = os.fork()
    if child == 0:
        os._exit(0 if LegacyConversationState.objects.count() == 1 and database().client is not parents else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert database().client is parents
    assert LegacyConversationState.objects.count() == 1


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(NotPrimaryError("not primary"), id="not primary"),
        pytest.param(NetworkTimeout("timed out"), id="network"),
        pytest.param(OperationFailure("killed", 50, {"code": 50}), id="time limit"),
        pytest.param(OperationFailure("x", 1, {"errorLabels": ["RetryableWriteError"]}), id="retryable"),
    ],
)
def test_what_another_attempt_may_mend_is_unavailability(settings, error):
    settings.CRONJOBS = {"MONGODB_URI": UNREACHABLE}

    with pytest.raises(MongoUnavailable) as caught, errors_reported():
        raise error
    with pytest.raises(MongoUnavailable), errors_reported():
        wrap_as_mongoengine_does(error)

    assert RetryPolicy().delay_after(1, caught.value) is not None


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(DuplicateKeyError("twice", 11000), id="duplicate"),
        pytest.param(OperationFailure("unknown operator", 2), id="bad command"),
        pytest.param(BulkWriteError({"writeErrors": []}), id="bulk"),
        pytest.param(ValueError("ours"), id="not MongoDB's"),
    ],
)
def test_other_errors_are_passed_on(settings, error):
    settings.CRONJOBS = {"MONGODB_URI": UNREACHABLE}

    with pytest.raises(type(error)), errors_reported():
        raise error


def test_a_cursor_that_the_server_has_dropped_is_unavailability(mongodb):
    mongodb["conversation_states"].insert_many([{"phone": str(number)} for number in range(10)])

    with pytest.raises(MongoUnavailable, match="cursor"):
        read_a_cursor_that_is_killed(mongodb)


def test_the_error_can_be_sent_to_another_process():
    error = MongoUnavailable("a:1,b:2", "gone")

    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes

    assert (str(copy), copy.hosts, copy.reason) == (str(error), "a:1,b:2", "gone")


def selection_timeout() -> float:
    return database().client.options.server_selection_timeout


@errors_reported()
def read_a_cursor_that_is_killed(mongodb):
    cursor = LegacyConversationState.objects.batch_size(2)._cursor
    next(cursor)
    mongodb.command("killCursors", "conversation_states", cursors=[cursor.cursor_id])
    list(cursor)


def wrap_as_mongoengine_does(error: Exception) -> None:
    try:
        raise error
    except type(error):
        raise OperationError("Update failed")  # noqa: B904 - as MongoEngine does
