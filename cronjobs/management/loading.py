"""Reads exported documents line by line, in constant memory, and counts what became of each line."""

from __future__ import annotations

import gzip
import io
import shutil
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import IO, Any

from cronjobs import documents

# The largest document that MongoDB takes needs less than this as Extended JSON.
MAX_LINE_BYTES = 64 * 1024 * 1024
BATCH_DOCUMENTS = 500
BATCH_BYTES = 8 * 1024 * 1024

_GZIP_MAGIC = b"\x1f\x8b"
# Any of these keys says which collection a document belongs to.
_TELLING_KEYS = {
    documents.QUOTES: {"quoteId", "validUntil"},
    documents.CONVERSATIONS: {"currentStep", "conversationData", "isActive"},
}
_TELLING_NAMES = {"quote": documents.QUOTES, "conversation": documents.CONVERSATIONS}

Report = Callable[[str], object]


@dataclass(slots=True)
class LoadCounts:
    """What became of the lines so far."""

    read: int = 0
    loaded: int = 0
    existing: int = 0
    broken: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an export; without `content` there is a `problem`."""

    number: int
    content: bytes = b""
    problem: str = ""

    def parsed(self) -> dict[str, Any]:
        """Return the document; raise `BrokenDocument`."""
        if self.problem:
            raise documents.BrokenDocument(self.problem)
        return documents.parse_document(self.content)


class Export:
    """A file of exported documents, gzipped or not; ``-`` is standard input. It can be read more than once."""

    def __init__(self, name: str) -> None:
        self.name = "standard input" if name == "-" else name
        self._file = _spooled(sys.stdin.buffer) if name == "-" else _opened(Path(name))
        self.size = self._file.seek(0, io.SEEK_END)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @property
    def position(self) -> int:
        """How many of the file's bytes have been read."""
        return self._file.tell()

    def lines(self) -> Iterator[Line]:
        """Yield the lines that are not blank, from the beginning; a damaged file ends with a problem."""
        number = 0
        try:
            for number, content in enumerate(_bounded_lines(self._stream()), start=1):
                if content is None:
                    yield Line(number, problem=f"it is longer than {MAX_LINE_BYTES} bytes")
                elif content.strip():
                    yield Line(number, content)
        except (OSError, EOFError, zlib.error) as error:
            yield Line(number + 1, problem=f"the file cannot be read from here on: {error}")

    def collection(self) -> str | None:
        """Return the collection that the first documents belong to, or else the one that the name speaks of."""
        for document in islice(self._documents(), 100):
            for collection, keys in _TELLING_KEYS.items():
                if not keys.isdisjoint(document):
                    return collection
        name = Path(self.name).name.lower()
        return next((collection for word, collection in _TELLING_NAMES.items() if word in name), None)

    def newest(self) -> datetime | None:
        """Return the latest `createdAt` that is a date."""
        dates = (document.get("createdAt") for document in self._documents())
        return max((each for each in dates if isinstance(each, datetime)), default=None)

    def _stream(self) -> IO[bytes] | gzip.GzipFile:
        self._file.seek(0)
        is_gzipped = self._file.read(2) == _GZIP_MAGIC
        self._file.seek(0)
        return gzip.open(self._file) if is_gzipped else self._file

    def _documents(self) -> Iterator[Mapping[str, Any]]:
        for line in self.lines():
            try:
                yield line.parsed()
            except documents.BrokenDocument:
                continue


def load(
    export: Export,
    collection: str,
    *,
    shift: timedelta,
    counts: LoadCounts,
    report: Report,
    progress: Callable[[Export], object],
) -> None:
    """Load the documents of `export` that `collection` does not have yet, their dates moved by `shift`.

    `counts` is kept up to date, so it tells the truth also when MongoDB goes away meanwhile.
    """
    for batch in _batches(_prepared(export, shift, counts, report)):
        outcome = documents.insert_new(collection, [document for _, document in batch])
        counts.loaded += outcome.inserted
        counts.existing += outcome.existing
        for place, reason in outcome.refused.items():
            counts.broken += 1
            report(f"{export.name}, line {batch[place][0]}: MongoDB refuses it: {reason}")
        progress(export)


def _prepared(
    export: Export, shift: timedelta, counts: LoadCounts, report: Report
) -> Iterator[tuple[int, documents.EncodedDocument]]:
    for line in export.lines():
        counts.read += 1
        try:
            document = documents.encoded(documents.moved_in_time(line.parsed(), shift))
        except documents.BrokenDocument as problem:
            counts.broken += 1
            report(f"{export.name}, line {line.number}: {problem}")
        else:
            yield line.number, document


def _batches(
    numbered: Iterable[tuple[int, documents.EncodedDocument]],
) -> Iterator[list[tuple[int, documents.EncodedDocument]]]:
    batch: list[tuple[int, documents.EncodedDocument]] = []
    size = 0
    for number, document in numbered:
        batch.append((number, document))
        size += len(document.raw)
        if len(batch) >= BATCH_DOCUMENTS or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _bounded_lines(stream: IO[bytes] | gzip.GzipFile) -> Iterator[bytes | None]:
    """Yield each line, or None for one that is too long to be a document."""
    while line := stream.readline(MAX_LINE_BYTES + 1):
        if len(line) <= MAX_LINE_BYTES or line.endswith(b"\n"):
            yield line
            continue
        while (rest := stream.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
            pass
        yield None


def _opened(path: Path) -> IO[bytes]:
    return path.open("rb")


def _spooled(source: IO[bytes]) -> IO[bytes]:
    """Return a copy on disk, since a pipe can be read only once."""
    copy = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the export
    shutil.copyfileobj(source, copy)
    return copy
