"""Every text of the admin can be translated: with a catalogue that brackets all, only data stands outside of brackets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import models
from django.utils import translation
from django.utils.translation import gettext, ngettext, pgettext

from cronjobs.models import Job
from cronjobs.registry import registry
from tests.pages.marks import bracketed, unmarked
from tests.pages.rows import AskedForm, filled_site
from tests.pages.table import Rows

# Texts that are no data and yet need no mark, each with the reason; a text is one of them from its beginning to its end.
EXCEPTIONS = {
    "moments": r"[\d,. :-]+ (UTC|CES?T)|\d+-a de|de \d+|\d+, je [\d:]+",
    "the name of a time zone": r"UTC",
    "the name of a product": r"MongoDB",
    "a status that only a later version knows": r"nekonata",
    "names of log levels, as Python, other programs and people who search have them": r"DEBUG|INFO|WARNING|ERROR|Level \d+",
    "alternatives to Django's own pictures, which Django has not marked": r"Search|True|False",
}
_EXCEPTION = re.compile("|".join(f"(?:{each})" for each in EXCEPTIONS.values()), re.DOTALL)
# Anything that could be one: two letters next to each other are in it.
_WORD = re.compile(r"[\w@*/.:-]*[^\W\d_]{2}[\w@*/.:-]*")
# A key of the API, or the part of it that is no secret.
_KEY = re.compile(r"cron_[0-9a-f]{10}(_[\w-]+)?")
# A sentence of the engine's, whose words are ordinary ones.
_SENTENCES = {"broken_reason"}


def words(text: str) -> set[str]:
    return {each.strip(".:") for each in _WORD.findall(_KEY.sub("", text))}


def texts_in(value: Any) -> Iterator[str]:
    """Yield what a column has, of JSON also what is deep in it."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (text for pair in value.items() for each in pair for text in texts_in(each))
    elif isinstance(value, list):
        yield from (text for each in value for text in texts_in(each))


def stored_words() -> set[str]:
    """Return all words in the database but those that stand for a choice, which has a name."""
    found: set[str] = set()
    for model in (*apps.get_app_config("cronjobs").get_models(), get_user_model()):
        columns = [
            each.attname
            for each in model._meta.concrete_fields
            if isinstance(each, models.CharField | models.TextField | models.JSONField)
            and not each.choices
            and each.name not in _SENTENCES
        ]
        for row in model._default_manager.values_list(*columns):
            found |= {word for value in row for text in texts_in(value) for word in words(text)}
    return found


def known_words(sent: Iterable[Any]) -> set[str]:
    """Return the words of data: what is stored, what code is called, and what the test has typed."""
    code = " ".join(
        [*(each.name for each in registry), *(f"{f.label} {f.help_text}" for f in AskedForm().fields.values())]
    )
    typed = " ".join(text for data in sent for text in texts_in(dict(data)))
    return stored_words() | words(code) | words(typed)


@pytest.fixture
def catalogue() -> Iterator[None]:
    with bracketed():
        yield


@pytest.mark.usefixtures("catalogue")
def test_the_catalogue_brackets_every_kind_of_message():
    assert gettext("Paused") == "⟦Paused⟧"
    assert ngettext("one", "many", 2) == "⟦many⟧"
    assert pgettext("execution", "Queued") == "⟦Queued⟧"
    assert str(Job._meta.verbose_name) == "⟦job⟧"
    assert translation.get_language() == "eo"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("<p>⟦Paused⟧ x-job</p>", ["x-job"]),
        ("<p>⟦After <a>x-job</a>⟧</p>", []),
        ('<a title="⟦Go⟧" aria-label="Stay">⟦Go⟧</a>', ["Stay"]),
        ('<input type="submit" value="Send"><input type="text" value="typed" placeholder="Here">', ["Send", "Here"]),
        ('<p data-over="Ended" data-restored="⟦Restored⟧" data-level="20">', ["Ended"]),
        ("<script>let it = 'be'</script><style>p {}</style>", []),
    ],
)
def test_what_is_outside_of_brackets_is_found(source, found):
    assert unmarked(source) == found


@pytest.mark.django_db
@pytest.mark.usefixtures("catalogue")
def test_every_text_of_every_page_is_marked():
    with filled_site() as ids:
        rows = Rows(ids)
        pages = [*rows.pages(), *rows.texts()]
        seen = [(page.name, text) for page in pages for text in unmarked(rows.answer(page))]
        known = known_words(page.data for page in pages if page.data is not None)

    texts = {(name, text) for name, text in seen if not _EXCEPTION.fullmatch(text.strip("| "))}
    assert {(name, text) for name, text in texts if words(text) - known} == set()
