"""The documentation as a site: built without a warning, and nothing of it comes from another host."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.documentation import DOCS
from tests.servers import ROOT
from tests.site_hooks import OUTSIDE

pytestmark = [pytest.mark.slow, pytest.mark.sqlite_only]

# What a browser fetches by itself, and where it is named.
_FETCHED = {"script": "src", "img": "src", "source": "srcset", "iframe": "src", "link": "href"}


class Fetched(HTMLParser):
    """Gathers what a browser fetches with a page."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        address = dict(attrs).get(_FETCHED.get(tag, ""))
        if address:
            self.addresses.append(address)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site, where every warning is a failure."""
    directory = tmp_path_factory.mktemp("site")
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(directory)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return directory


def test_every_page_is_there(site):
    pages = [each.relative_to(DOCS).as_posix() for each in DOCS.rglob("*.md")] + list(OUTSIDE.values())

    missing = [
        each for each in pages if not (site / each.replace("README.md", "index.md")).with_suffix(".html").exists()
    ]
    assert missing == []


def test_every_table_has_become_one(site):
    assert [each.name for each in site.rglob("*.html") if re.search(r"\| ?---", each.read_text(encoding="utf-8"))] == []


def test_what_a_browser_fetches_lies_in_the_site(site):
    wrong = []
    for page in site.rglob("*.html"):
        parser = Fetched()
        parser.feed(page.read_text(encoding="utf-8"))
        assert parser.addresses, page
        for address in parser.addresses:
            # The page for what is not found names everything from the root.
            base = site if address.startswith("/") else page.parent
            if "//" in address or not (base / unquote(address.partition("#")[0].lstrip("/"))).exists():
                wrong.append((page.name, address))

    assert wrong == []


def test_styles_fetch_nothing_from_elsewhere(site):
    for sheet in site.rglob("*.css"):
        text = sheet.read_text(encoding="utf-8")
        assert "url(http" not in text, sheet
        assert "url(//" not in text, sheet
        assert "@import" not in text, sheet


def test_the_search_finds_every_page(site):
    found = {
        each["location"].partition("#")[0]
        for each in json.loads((site / "search/search_index.json").read_text())["docs"]
    }
    pages = {each.relative_to(site).as_posix() for each in site.rglob("*.html")} - {"404.html"}

    # The first one is where the site begins.
    assert pages - found <= {"index.html"}
