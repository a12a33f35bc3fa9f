"""Webhooks: what is signed, what is sent, and what becomes of it with a receiver that is not well."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from cronjobs.exceptions import InvalidSettings, SendingFailed
from cronjobs.notifications import Message
from cronjobs.notifications.messages import LogLine
from cronjobs.notifications.webhook import WebhookNotifier
from tests.documentation import README
from tests.receivers import answers, babbles, closed_address, drips, drops, hangs, receiving, takes_it_and_babbles

NOON = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
DOCUMENT = README.parent / "docs" / "alerts.md"
SECRET = "whsec_" + base64.b64encode(b"twenty-four bytes of key").decode()
# The path and the query are secrets.
PATH = "/hooks/T0SECRET?key=SECRET2"


def notifier(address, **options):
    return WebhookNotifier("hook", {"URL": address, **options}, path="CRONJOBS['NOTIFIERS']['hook']")


def message(**changes):
    return Message(**{"message_id": "abc123", "kind": "failing", "subject": "report", "created_at": NOON, **changes})


def failure(address, **options):
    with pytest.raises(SendingFailed) as failed:
        notifier(address + PATH, SECRET=SECRET, **options).send(message())
    assert "SECRET" not in str(failed.value)
    assert SECRET not in str(failed.value)
    return SimpleNamespace(text=str(failed.value), may_have_arrived=failed.value.may_have_arrived)


def test_it_posts_json_to_the_whole_address():
    with receiving() as receiver:
        notifier(receiver.address + PATH).send(message())

    (request,) = receiver.received
    assert request.path == PATH
    assert request.headers["content-type"] == "application/json"
    assert request.json["type"] == "alert.firing"
    assert request.json["timestamp"] == "2026-01-15T12:00:00.000Z"
    assert request.json["data"]["title"] == "Job report is failing"
    assert "webhook-signature" not in request.headers


def test_the_signature_is_that_of_standard_webhooks():
    with receiving() as receiver:
        notifier(receiver.address, SECRET=SECRET).send(message(error_message="ä <b> \x00 \ud800"))

    (request,) = receiver.received
    signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
    expected = hmac.new(b"twenty-four bytes of key", signed, hashlib.sha256).digest()
    assert request.headers["webhook-id"] == "abc123"
    assert abs(int(request.headers["webhook-timestamp"]) - time.time()) < 60
    assert request.headers["webhook-signature"] == "v1," + base64.b64encode(expected).decode()


def test_the_signature_of_a_known_example_is_right():
    from cronjobs.notifications.webhook import signature, signing_key

    # From the tests of the specification's own libraries.
    key = signing_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    found = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)

    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_secret_may_be_any_text():
    with receiving() as receiver:
        notifier(receiver.address, SECRET="just text").send(message())

    (request,) = receiver.received
    signed = f"abc123.{request.headers['webhook-timestamp']}.".encode() + request.body
    expected = hmac.new(b"just text", signed, hashlib.sha256).digest()
    assert request.headers["webhook-signature"] == "v1," + base64.b64encode(expected).decode()


@pytest.mark.parametrize("status", [400, 401, 404, 410, 429, 500, 503])
def test_an_answer_that_is_no_success_is_a_failure(status):
    with receiving(answers(status)) as receiver:
        failed = failure(receiver.address)

    assert failed.text == f"{receiver.address.removeprefix('http://')} answered with status {status}."
    assert not failed.may_have_arrived


def test_redirects_are_not_followed():
    with receiving() as elsewhere, receiving(answers(302, Location=elsewhere.address)) as receiver:
        failed = failure(receiver.address)

    assert failed.text.endswith("answered with status 302, and redirects are not followed.")
    assert elsewhere.received == []


def test_a_refused_connection_is_a_failure():
    failed = failure(closed_address())

    assert failed.text.endswith(" refused the connection.")
    assert not failed.may_have_arrived


def test_a_host_that_is_not_there_is_a_failure():
    assert failure("http://nowhere.invalid").text == "nowhere.invalid is not a host that is known here."


def test_a_dropped_connection_may_have_taken_it():
    with receiving(drops) as receiver:
        failed = failure(receiver.address)

    assert failed.text.endswith(" closed the connection without an answer.")
    assert failed.may_have_arrived


def test_an_answer_that_is_no_http_is_a_failure():
    with receiving(babbles) as receiver:
        assert failure(receiver.address).text.endswith(" gave an answer that is no HTTP.")


def test_what_was_taken_is_a_success_whatever_follows():
    with receiving(takes_it_and_babbles) as receiver:
        notifier(receiver.address).send(message())

    assert len(receiver.received) == 1


def test_tls_with_a_server_that_has_none_is_a_failure():
    with receiving() as receiver:
        failed = failure(receiver.address.replace("http:", "https:"))

    assert failed.text.endswith(" does not speak TLS as it should.")
    assert not failed.may_have_arrived


@pytest.mark.parametrize("behaviour", [hangs, drips])
def test_the_timeout_is_for_the_whole_exchange(behaviour):
    with receiving(behaviour) as receiver:
        # A byte each 20 ms would never let a timeout of the socket pass.
        failed = failure(receiver.address, TIMEOUT=0.3)
        assert not receiver.released.is_set()

    assert failed.text.endswith(" did not answer within 0.3 s.")
    assert failed.may_have_arrived


def test_an_answer_that_is_late_but_in_time_is_a_success():
    with receiving(hangs) as receiver:
        receiver.released.set()
        notifier(receiver.address, TIMEOUT=30).send(message())

    assert len(receiver.received) == 1


def test_options_are_refused_at_the_door_in_sentences_without_secrets():
    for options, sentence in [
        ({}, "CRONJOBS['NOTIFIERS']['hook'] needs 'URL'."),
        ({"URL": ""}, "CRONJOBS['NOTIFIERS']['hook'] needs 'URL'."),
        ({"URL": "ftp://SECRET"}, "CRONJOBS['NOTIFIERS']['hook']['URL'] is not usable. An address begins with"),
        ({"URL": "https://a:SECRET@b"}, "['URL'] is not usable. An address must not hold a user or a password."),
        ({"URL": "http://b", "SECRETS": "SECRET"}, "has no key 'SECRETS'. Did you mean 'SECRET'?"),
        ({"URL": "http://b", "SECRET": b"SECRET"}, "['SECRET'] must be a string, not bytes."),
        ({"URL": "http://b", "SECRET": "whsec_SECRET!"}, "['SECRET'] begins with whsec_, and what follows is not"),
        ({"URL": "http://b", "TIMEOUT": 60}, "['TIMEOUT'] must be at most 30 seconds, not 60."),
        ({"URL": "http://b", "FORMAT": "teams"}, "['FORMAT'] must be one of 'json', 'slack', not 'teams'."),
    ]:
        with pytest.raises(InvalidSettings) as refused:
            WebhookNotifier("hook", options, path="CRONJOBS['NOTIFIERS']['hook']")
        assert sentence in str(refused.value)
        assert "SECRET'" not in str(refused.value).replace("['SECRET']", "").replace("mean 'SECRET'", "")


def test_slack_takes_nothing_for_a_mention_or_a_link():
    evil = "<!channel> & <https://evil.example|click> ``` *x*"
    with receiving() as receiver:
        notifier(receiver.address, FORMAT="slack").send(
            message(subject="<!here>", error_type="E", error_message=evil, runbook_url="https://wiki.example/a|b>c")
        )

    payload = receiver.received[0].json
    texts = [payload["text"], *(each["text"]["text"] for each in payload["blocks"] if each["type"] == "section")]
    assert payload["text"] == ":rotating_light: Job &lt;!here&gt; is failing"
    assert payload["blocks"][0]["text"]["type"] == "plain_text"
    assert [part for text in texts for part in text.split("<")[1:]] == [
        "https://wiki.example/a%7Cb&gt;c|https://wiki.example/a¦b&gt;c>\n*Noticed* 2026-01-15 12:00:00 UTC"
    ]
    assert texts[-1].count("```") == 2


def test_what_slack_is_sent_is_never_too_long():
    with receiving() as receiver:
        notifier(receiver.address, FORMAT="slack").send(
            message(
                subject="s" * 1_000,
                details="&" * 10_000,
                description="x" * 10_000,
                error_message="<" * 10_000,
                runbook_url="https://wiki.example/" + "&" * 5_000,
                owner="o" * 5_000,
            )
        )

    header, *sections = receiver.received[0].json["blocks"]
    assert len(header["text"]["text"]) <= 150
    assert all(len(each["text"]["text"]) <= 3_000 for each in sections)
    assert json.dumps(sections).count("&lt;") > 500


@pytest.mark.parametrize("sign", ["x", "<"])
def test_of_a_log_that_is_too_long_slack_is_sent_the_end(sign):
    lines = [
        LogLine(None, "INFO", sign * 1_000),
        LogLine(None, "INFO", sign * 2_000),
        LogLine(None, "ERROR", "the end"),
    ]
    with receiving() as receiver:
        notifier(receiver.address, FORMAT="slack").send(message(log_lines=lines))

    text = receiver.received[0].json["blocks"][-1]["text"]["text"]
    assert text.startswith("```…")
    assert text.endswith("ERROR the end```")
    assert 2_000 < len(text) <= 3_000


def test_the_timeout_may_be_a_timedelta():
    assert notifier("http://b", TIMEOUT=timedelta(seconds=3)).options.timeout == timedelta(seconds=3)


def test_the_check_in_the_documentation_tells_what_is_genuine():
    (example,) = re.findall(
        r"```python\n(import base64\n.*?def is_genuine.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL
    )
    names: dict[str, Any] = {}
    exec(compile(example, "alerts.md", "exec"), names)  # noqa: S102 - our own example
    with receiving() as receiver:
        notifier(receiver.address, SECRET=SECRET).send(message())

    (request,) = receiver.received
    assert names["is_genuine"](request.headers, request.body, b"twenty-four bytes of key")
    assert not names["is_genuine"](request.headers, request.body + b" ", b"twenty-four bytes of key")
    assert not names["is_genuine"](request.headers, request.body, b"another")


def test_the_body_in_the_documentation_has_the_keys_of_a_real_one():
    (example,) = re.findall(r"```json\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)

    assert list(json.loads(example)["data"]) == list(message().as_json()["data"])
