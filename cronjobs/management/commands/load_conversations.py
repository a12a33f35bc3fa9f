"""`manage.py load_conversations`: exported conversations and quotes into MongoDB."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from cronjobs.management.arguments import add_examples, as_json, expected_errors, require_mongodb
from cronjobs.management.progress import progress_line
from cronjobs.management.shell import ShellCommand

if TYPE_CHECKING:
    from cronjobs.management.loading import Export, LoadCounts

COLLECTIONS = ("conversation_states", "quotes")

EXAMPLES = """\
examples:
  manage.py load_conversations sample/*.jsonl --shift-to-now
  manage.py load_conversations export.jsonl.gz --collection quotes
  mongoexport -c quotes --jsonFormat=canonical ... | manage.py load_conversations -

A file holds one document a line, as Extended JSON (canonical or relaxed), gzipped or not. A
document whose _id is in the collection already is left alone, so a file can be loaded again.
A line that cannot be loaded is reported with its number, and the others are loaded.

exit codes:
  0  everything is there now
  1  something was not loaded: a broken line, an unreadable file, or MongoDB cannot be used
  2  the arguments are wrong
  130  interrupted; what was loaded stays
"""


class Command(ShellCommand):
    """A shell around reading and inserting."""

    help = "Load exported conversations and quotes into MongoDB; what is there already is left alone."

    def add_arguments(self, parser: CommandParser) -> None:
        add_examples(parser, EXAMPLES)
        parser.add_argument("files", nargs="+", metavar="FILE", help="A file to load; - is standard input.")
        parser.add_argument(
            "--collection",
            choices=COLLECTIONS,
            help="Where the documents go. Default: what the first documents of a file look like, or its name says.",
        )
        parser.add_argument(
            "--shift-to-now",
            action="store_true",
            help="Move every date, in all files by the same span, so that the latest createdAt is now.",
        )
        parser.add_argument("--json", action="store_true", help="Print the counts as JSON.")

    def handle(self, *, files: list[str], collection: str | None, shift_to_now: bool, json: bool, **_: Any) -> None:
        require_mongodb()
        with expected_errors():
            from cronjobs.management.loading import LoadCounts

        counts = LoadCounts()
        with expected_errors(), _opened(files) as exports:
            targets = [(each, collection or _guessed(each)) for each in exports]
            shift = _shift(exports) if shift_to_now else timedelta(0)
            try:
                self._load(targets, shift, counts, json=json)
            except KeyboardInterrupt as error:
                raise CommandError("Interrupted. What was loaded stays.", returncode=130) from error
            finally:
                self.stdout.write(as_json(_summary(counts)) if json else _sentence(counts))
        if counts.broken:
            raise CommandError(f"{counts.broken} of {counts.read} lines were not loaded.")

    def _load(self, targets: Sequence[tuple[Export, str]], shift: timedelta, counts: LoadCounts, *, json: bool) -> None:
        from cronjobs.management.loading import load

        with progress_line(self.stderr, is_wanted=not json) as line:

            def show(export: Export) -> None:
                line.show(export.position, export.size, f"{counts.read:,} lines, {export.name}")

            for export, collection in targets:
                load(export, collection, shift=shift, counts=counts, report=line.report, progress=show)


@contextmanager
def _opened(names: Sequence[str]) -> Iterator[list[Export]]:
    """Open all files before any is loaded: a mistyped name must not leave half of the work done."""
    from cronjobs.management.loading import Export

    with ExitStack() as stack:
        exports = []
        for name in names:
            try:
                export = Export(name)
            except OSError as error:
                raise CommandError(f"{name} cannot be read: {error.strerror or error}.") from error
            stack.callback(export.close)
            exports.append(export)
        yield exports


def _guessed(export: Export) -> str:
    collection = export.collection()
    if collection is None:
        raise CommandError(f"{export.name} may belong to any collection: say --collection {'|'.join(COLLECTIONS)}.")
    return collection


def _shift(exports: Sequence[Export]) -> timedelta:
    newest = max(filter(None, (each.newest() for each in exports)), default=None)
    return timedelta(0) if newest is None else timezone.now() - newest


def _summary(counts: LoadCounts) -> dict[str, int]:
    names = {"existing": "alreadyThere"}
    return {names.get(name, name): count for name, count in asdict(counts).items()}


def _sentence(counts: LoadCounts) -> str:
    return f"{counts.read} read, {counts.loaded} loaded, {counts.existing} already there, {counts.broken} broken."
