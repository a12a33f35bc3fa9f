"""The notifiers that the settings name."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from cronjobs.checks import check_notifiers, check_settings
from cronjobs.exceptions import InvalidSettings
from cronjobs.notifications import Notifier, NotifierOptions, option
from cronjobs.notifications.configured import get_notifier, notifier_names
from cronjobs.notifications.mail import EmailNotifier
from cronjobs.notifications.webhook import WebhookNotifier

HOOK = {"CLASS": "webhook", "URL": "https://example.com/SECRET"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomOptions(NotifierOptions):
    room: str = option()
    beds: int = option(1, low=1)


class Own(Notifier):
    """A notifier of the project's own, with options as they are."""

    def send(self, message):
        """Take it."""


class Exploding(Notifier):
    def __init__(self, name, options, *, path):
        raise RuntimeError(f"cannot use {options}")

    def send(self, message):
        """Never called."""


class Nameless:
    pass


@pytest.fixture
def configure(settings):
    def change(**notifiers):
        settings.CRONJOBS = {"NOTIFIERS": notifiers}

    return change


def test_short_names_and_paths_name_classes(configure):
    configure(
        ops={"CLASS": "email", "TO": ["ops@example.com"]}, hook=HOOK, own={"CLASS": f"{__name__}.Own", "ROOM": "night"}
    )

    assert notifier_names() == ["hook", "ops", "own"]
    assert isinstance(get_notifier("ops"), EmailNotifier)
    assert isinstance(get_notifier("hook"), WebhookNotifier)
    assert (get_notifier("own").name, get_notifier("own").options) == ("own", {"ROOM": "night"})
    assert check_notifiers() == []


def test_each_is_made_once_until_the_settings_change(configure):
    configure(hook=HOOK)
    first = get_notifier("hook")
    assert get_notifier("hook") is first

    configure(hook={**HOOK, "TIMEOUT": 3})

    assert get_notifier("hook") is not first


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({"CLASS": "webook"}, "CRONJOBS['NOTIFIERS']['x']['CLASS'] is not known: 'webook'. Did you mean 'webhook'?"),
        ({"CLASS": "no.such.Thing"}, "cannot be imported: ModuleNotFoundError: No module named 'no'"),
        ({"CLASS": f"{__name__}.Missing"}, "cannot be imported: ImportError"),
        ({"CLASS": f"{__name__}.Nameless"}, "must be a subclass of cronjobs.notifications.Notifier, not "),
        ({"CLASS": f"{__name__}.configure"}, "must be a subclass of"),
        ({"CLASS": f"{__name__}.Exploding", "KEY": "SECRET"}, "['x'] cannot be made: RuntimeError."),
        ({"CLASS": "webhook", "ULR": "https://SECRET"}, "['x'] needs 'URL'."),
        ({**HOOK, "SECRT": "SECRET"}, "['x'] has no key 'SECRT'. Did you mean 'SECRET'?"),
    ],
)
def test_one_that_cannot_be_used_is_a_warning_without_secrets_and_harms_no_other(configure, entry, sentence):
    configure(x=entry, hook=HOOK)

    (found,) = check_notifiers()

    assert (found.id, found.obj) == ("cronjobs.W010", "x")
    assert sentence in found.msg
    assert "SECRET" not in found.msg.replace("Did you mean 'SECRET'?", "")
    assert get_notifier("hook")
    with pytest.raises(InvalidSettings):
        get_notifier("x")


def test_a_name_that_is_not_there_is_told_with_what_was_meant(configure):
    configure(hook=HOOK)
    with pytest.raises(InvalidSettings, match=r"has no notifier 'hok'\. Did you mean 'hook'\?"):
        get_notifier("hok")

    configure()
    with pytest.raises(InvalidSettings, match=r"has no notifier 'hok'\. There is none at all\."):
        get_notifier("hok")


@pytest.mark.parametrize(
    ("notifiers", "sentence"),
    [
        ([], "CRONJOBS['NOTIFIERS'] must be a dict of name to options, not list."),
        ({"a,b": HOOK}, "has a name that is none: 'a,b'"),
        ({"x" * 51: HOOK}, "has a name that is none"),
        ({"x": "https://SECRET"}, "CRONJOBS['NOTIFIERS']['x'] must be a dict that has at least CLASS"),
        ({"x": {"URL": "https://SECRET"}}, "CRONJOBS['NOTIFIERS']['x'] must be a dict that has at least CLASS"),
    ],
)
def test_what_is_no_notifier_at_all_is_an_error_of_the_settings(settings, notifiers, sentence):
    settings.CRONJOBS = {"NOTIFIERS": notifiers}

    (found,) = check_settings()

    assert found.id == "cronjobs.E001"
    assert sentence in found.msg
    assert "SECRET" not in found.msg
    assert check_notifiers() == []


def test_options_of_ones_own_are_checked_like_those_of_the_app(configure, monkeypatch):
    monkeypatch.setattr(Own, "options_class", RoomOptions)

    configure(own={"CLASS": f"{__name__}.Own", "ROOM": "night", "BEDS": 2})
    assert get_notifier("own").options == RoomOptions(room="night", beds=2)
    configure(own={"CLASS": f"{__name__}.Own", "ROOM": "night", "BEDS": 0})
    assert "['BEDS'] must be at least 1, not 0." in check_notifiers()[0].msg
    configure(own={"CLASS": f"{__name__}.Own"})
    assert "['own'] needs 'ROOM'." in check_notifiers()[0].msg
