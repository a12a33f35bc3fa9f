"""E-mail, to a real mail server."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.core import mail

from cronjobs.exceptions import InvalidSettings, SendingFailed
from cronjobs.notifications import Message
from cronjobs.notifications.mail import EmailNotifier
from cronjobs.notifications.mail import _connection as open_connection
from tests.receivers import hanging_socket, receiving_mail

# Django 6.1 and newer.
HAS_MAILERS = hasattr(mail, "mailers")
NOON = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)


def notifier(**options):
    return EmailNotifier("ops", {"TO": ["ops@example.com"], **options}, path="CRONJOBS['NOTIFIERS']['ops']")


def message(**changes):
    return Message(**{"message_id": "abc123", "kind": "failing", "subject": "report", "created_at": NOON, **changes})


@pytest.fixture
def mail_server(settings):
    """A mail server that Django is configured to use; its mailbox."""
    settings.DEFAULT_FROM_EMAIL = "Jobs <jobs@example.com>"
    with receiving_mail() as (mailbox, port):
        use_server(settings, port)
        yield mailbox


def use_server(settings, port, **options):
    """Configure Django, in the way of its release, for the server at that port."""
    backend = "django.core.mail.backends.smtp.EmailBackend"
    if HAS_MAILERS:
        settings.MAILERS = {"default": {"BACKEND": backend, "OPTIONS": {"host": "127.0.0.1", "port": port, **options}}}
    else:
        settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = backend, "127.0.0.1", port


def test_a_letter_has_text_and_html(mail_server):
    notifier(TO=["ops@example.com", "Ada <ada@example.com>"]).send(message(error_message="<b>no rows</b>"))

    (letter,) = mail_server.letters
    assert mail_server.recipients == [["ops@example.com", "ada@example.com"]]
    assert letter["Subject"] == "[cronjobs] Job report is failing"
    assert letter["From"] == "Jobs <jobs@example.com>"
    assert letter["Message-ID"] == "<abc123@example.com>"
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter["X-Cronjobs-Message"] == "abc123"
    assert "<b>no rows</b>" in letter.get_body(["plain"]).get_content()
    assert "&lt;b&gt;no rows&lt;/b&gt;" in letter.get_body(["html"]).get_content()


def test_no_header_can_be_put_in_by_a_name(mail_server):
    notifier(SUBJECT_PREFIX="[x]\r\nX-Evil: 1 ").send(message(subject="x\r\nBcc: eve@example.com\n\nbody"))

    (letter,) = mail_server.letters
    assert letter["Subject"] == "[x] X-Evil: 1 Job x Bcc: eve@example.com body is failing"
    assert letter["Bcc"] is None
    assert letter["X-Evil"] is None
    assert mail_server.recipients == [["ops@example.com"]]


def test_a_letter_can_be_from_somebody_else(mail_server):
    notifier(FROM_EMAIL="cron@example.org").send(message())

    assert mail_server.letters[0]["From"] == "cron@example.org"
    assert mail_server.letters[0]["Message-ID"] == "<abc123@example.org>"


def test_texts_that_no_letter_can_hold_are_sent_all_the_same(mail_server):
    notifier().send(message(error_message="\x00 \ud800 " + "x" * 5_000))

    assert "x" * 900 in mail_server.letters[0].get_body(["plain"]).get_content().replace("=\n", "")


def test_a_server_that_refuses_everybody_is_a_failure(mail_server):
    mail_server.refuses = True

    with pytest.raises(
        SendingFailed, match=r"The mail server could not be used: SMTPRecipientsRefused: .*no such user"
    ) as failed:
        notifier().send(message())

    assert not failed.value.may_have_arrived


def test_a_server_that_is_not_there_is_a_failure(mail_server, settings):
    use_server(settings, 1)

    with pytest.raises(SendingFailed, match="ConnectionRefusedError") as failed:
        notifier().send(message())

    assert not failed.value.may_have_arrived


def test_a_server_that_hangs_is_a_failure(mail_server, settings):
    with hanging_socket() as port:
        use_server(settings, port)
        with pytest.raises(SendingFailed, match="timed out") as failed:
            notifier(TIMEOUT=1).send(message())

    assert not failed.value.may_have_arrived


@pytest.mark.skipif(not HAS_MAILERS, reason="this Django has no mailers")
def test_the_time_of_a_mailer_comes_first_and_it_has_one_in_any_case(settings):
    use_server(settings, 25, timeout=7)
    assert open_connection(30).timeout == 7

    use_server(settings, 25)
    assert open_connection(30).timeout == 30


def test_a_server_that_hangs_up_after_the_letter_may_have_taken_it(mail_server):
    mail_server.hangs_up = True

    with pytest.raises(SendingFailed, match="SMTPServerDisconnected") as failed:
        notifier().send(message())

    assert failed.value.may_have_arrived


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"TO": []}, "needs 'TO'"),
        ({"TO": "ops@example.com"}, "must be a list of strings"),
        ({"TO": ["nobody"]}, "names 'nobody', which is no address of e-mail"),
        ({"TO": ["a@example.com\nBcc: b@example.com"]}, "names 'a@example.com"),
        ({"FROM_EMAIL": "nobody"}, "names 'nobody', which is no address of e-mail"),
        ({"FROM": "a@example.com"}, "has no key 'FROM'. Known keys: FROM_EMAIL"),
        ({"TIMEOUT": 0}, "must be at least 1 seconds"),
    ],
)
def test_options_are_refused_at_the_door(options, sentence):
    with pytest.raises(InvalidSettings, match=r"^CRONJOBS\['NOTIFIERS'\]\['ops'\]") as refused:
        notifier(**options)

    assert sentence in str(refused.value)
