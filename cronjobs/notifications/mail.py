"""E-mail, through whatever Django is configured to send it with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from email.utils import parseaddr
from smtplib import SMTPException, SMTPServerDisconnected
from typing import Any, ClassVar

from django.conf import settings as django_settings
from django.core import mail
from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.validators import validate_email

from cronjobs.conf import words_to_mask
from cronjobs.exceptions import InvalidSettings, SendingFailed
from cronjobs.notifications.base import Notifier, NotifierOptions, option
from cronjobs.notifications.messages import Message, header_text
from cronjobs.storable import storable_text


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailOptions(NotifierOptions):
    """To whom, from whom (empty: DEFAULT_FROM_EMAIL), what the subject begins with, and how long each step may take."""

    to: tuple[str, ...] = option()
    from_email: str = option("")
    subject_prefix: str = option("[cronjobs] ")
    timeout: timedelta = option(timedelta(seconds=10), low=1, high=30)


class EmailNotifier(Notifier):
    """Sends a letter of text and HTML."""

    options_class: ClassVar = EmailOptions
    options: EmailOptions

    def __init__(self, name: str, options: Any, *, path: str) -> None:
        super().__init__(name, options, path=path)
        senders = [self.options.from_email] if self.options.from_email else []
        for each in [*self.options.to, *senders]:
            _check_address(each, path)

    def send(self, message: Message) -> None:
        letter = self._letter(message)
        try:
            self._hand_over(letter)
        except (SMTPException, OSError) as error:
            # Without the reply of a server that has said no, the letter may be on its way.
            is_open = isinstance(error, SMTPServerDisconnected | TimeoutError | ConnectionError)
            raise SendingFailed(_said(error), may_have_arrived=is_open) from error

    def _letter(self, message: Message) -> EmailMultiAlternatives:
        sender = self.options.from_email or django_settings.DEFAULT_FROM_EMAIL
        domain = parseaddr(sender)[1].rpartition("@")[2] or "localhost"
        letter = EmailMultiAlternatives(
            subject=header_text(self.options.subject_prefix + message.subject_line),
            body=message.as_text(),
            from_email=sender,
            to=list(self.options.to),
            headers={
                "Message-ID": f"<{message.message_id}@{domain}>",
                "Auto-Submitted": "auto-generated",
                "X-Cronjobs-Message": message.message_id,
            },
        )
        letter.attach_alternative(message.as_html(), "text/html")
        return letter

    def _hand_over(self, letter: EmailMultiAlternatives) -> None:
        connection = _connection(int(self.options.timeout.total_seconds()))
        try:
            connection.open()
        except (SMTPException, OSError) as error:
            raise SendingFailed(_said(error)) from error
        try:
            if connection.send_messages([letter]) == 0:
                raise SendingFailed("The mail server took nothing.")
        finally:
            connection.close()


def _connection(timeout: int) -> Any:
    """Return what sends letters, however the project has configured it: it waits so many seconds for each step."""
    if not hasattr(django_settings, "MAILERS"):
        return get_connection(timeout=timeout)
    # Django 6.1, which has deprecated the other way.
    connection: Any = mail.mailers.default
    if getattr(connection, "timeout", timeout) is None:
        # The mailer names no time of its own, and would wait for ever.
        connection.timeout = timeout
    return connection


def _check_address(text: str, path: str) -> None:
    try:
        validate_email(parseaddr(text)[1])
    except ValidationError:
        raise InvalidSettings(f"{path} names {text!r}, which is no address of e-mail.") from None
    if header_text(text) != text:
        raise InvalidSettings(f"{path} names {text!r}, which has line ends or spaces at its ends.")


def _said(error: Exception) -> str:
    what = header_text(storable_text(error, max_bytes=500, mask=words_to_mask()))
    return f"The mail server could not be used: {type(error).__name__}{': ' if what else ''}{what}."
