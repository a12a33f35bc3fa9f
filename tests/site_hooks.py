"""Shows in the documentation's site what lies outside docs/, and leads links from the one to the other; for mkdocs."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

# Where a file of the repository stands in the site.
OUTSIDE = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "reporting.md",
    "bench/README.md": "bench.md",
}
_LINK = re.compile(r"\[(?P<text>[^\[\]]*)\]\((?![a-z]+:|#)(?P<path>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages from outside."""
    for path, uri in OUTSIDE.items():
        files.append(File.generated(config, uri, abs_src_path=str(_root(config) / path)))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, **_: Any) -> str:
    """Lead links across the border of docs/ to the pages that the site has; of what it has not, the text stays."""
    source, docs = Path(str(page.file.abs_src_path)).resolve(), Path(config.docs_dir).resolve()
    comes_from_outside = not source.is_relative_to(docs)

    def replaced(link: re.Match[str]) -> str:
        target = (source.parent / link["path"]).resolve()
        if target.is_relative_to(docs) and not comes_from_outside:
            return link[0]
        if (uri := _uri(target, config)) is None:
            return link["text"]
        path = posixpath.relpath(uri, posixpath.dirname(page.file.src_uri) or ".")
        return f"[{link['text']}]({path}{link['anchor'] or ''})"

    return _LINK.sub(replaced, markdown)


def _uri(target: Path, config: MkDocsConfig) -> str | None:
    root, docs = _root(config), Path(config.docs_dir).resolve()
    if target.is_relative_to(docs):
        return target.relative_to(docs).as_posix()
    return OUTSIDE.get(target.relative_to(root).as_posix()) if target.is_relative_to(root) else None


def _root(config: MkDocsConfig) -> Path:
    return Path(str(config.config_file_path)).parent.resolve()
