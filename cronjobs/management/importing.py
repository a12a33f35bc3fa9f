"""What `cronimport` found, as people and as programs read it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cronjobs.conf import words_to_mask
from cronjobs.importing import Applied, Finding, Outcome, Reading
from cronjobs.security import escaped_line
from cronjobs.storable import storable_json

HEADER = ("WHERE", "JOB", "SCHEDULE", "OUTCOME")

# As the tally calls them, behind their number.
_COUNTS = {
    Outcome.CREATE: "to be created",
    Outcome.DIFFERS: "existing but different",
    Outcome.SAME: "existing and the same",
    Outcome.STANDS: "with a schedule of its own",
    Outcome.UNDEFINED: "without a definition",
    Outcome.CANNOT: "impossible",
    Outcome.UNREADABLE: "not understood",
}


def finding_row(finding: Finding) -> tuple[str, ...]:
    """Return what the columns of `HEADER` say of a finding."""
    entry = finding.entry
    schedule = str(entry.columns.get("schedule", "-"))
    return entry.place, finding.job or escaped_line(entry.name), schedule, str(finding.outcome)


def finding_lines(finding: Finding) -> Iterator[str]:
    """Yield why it is so, and what a job would do otherwise."""
    if finding.reason:
        yield escaped_line(finding.reason)
    if finding.outcome == Outcome.DIFFERS:
        for column, value in finding.values.items():
            yield f"{column}: {_shown(column, finding.present.get(column))} -> {_shown(column, value)}"
    for note in finding.entry.notes:
        yield escaped_line(note)


def tally(findings: Sequence[Finding], applied: Applied | None, *, update: bool) -> str:
    """Return what there is and what was written, in a few sentences."""
    counts = Counter(each.outcome for each in findings)
    listed = ", ".join(f"{counts[outcome]} {text}" for outcome, text in _COUNTS.items() if counts[outcome])
    if applied is not None:
        changed = "" if update else " What is different stays so without --update." * bool(counts[Outcome.DIFFERS])
        paused = f", {applied.paused} more paused" * bool(applied.paused)
        return f"{applied.created} created, {applied.changed} changed{paused}.{changed}"
    return f"{listed or 'Nothing was found'}. Nothing was written: --apply does that."


def document(source: str, reading: Reading, findings: Sequence[Finding], applied: Applied | None) -> dict[str, Any]:
    """Return everything as JSON data; `created`, `changed` and `paused` are None where nothing was to be written."""
    return {
        "source": source,
        "applied": applied is not None,
        "created": None if applied is None else applied.created,
        "changed": None if applied is None else applied.changed,
        "paused": None if applied is None else applied.paused,
        "remarks": list(reading.remarks),
        "entries": [_finding_document(each) for each in findings],
    }


def _finding_document(finding: Finding) -> dict[str, Any]:
    entry = finding.entry
    return {
        "place": entry.place,
        "name": escaped_line(entry.name),
        "runs": escaped_line(entry.runs) or None,
        "outcome": str(finding.outcome),
        "jobName": finding.job or None,
        "definition": finding.definition or None,
        "columns": _masked(entry.columns),
        "differences": {
            column: {"now": each, "then": _masked({column: finding.values[column]})[column]}
            for column, each in _masked(finding.present).items()
        },
        "reason": escaped_line(finding.reason) or None,
        "notes": [escaped_line(each) for each in entry.notes],
        "stub": finding.stub or None,
    }


def _masked(columns: Mapping[str, Any]) -> dict[str, Any]:
    return dict(storable_json(dict(columns), mask=words_to_mask()))


def _shown(column: str, value: Any) -> str:
    return escaped_line("nothing" if value in (None, "") else _masked({column: value})[column])
