"""What becomes of the entries of another scheduler: which job does each, and what is to change for it."""

from __future__ import annotations

import inspect
import keyword
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management import get_commands
from django.forms import BooleanField

from cronjobs.conf import words_to_mask
from cronjobs.exceptions import CronJobsError, InvalidSchedule
from cronjobs.importing.commands import without_names
from cronjobs.importing.entries import Entry
from cronjobs.importing.names import allowed_name, free_name
from cronjobs.importing.rules import Definitions, Rule
from cronjobs.models import Job
from cronjobs.registry import JobDefinition, registry
from cronjobs.schedules import parse_schedule
from cronjobs.security import escaped_line
from cronjobs.storable import storable_json

# Said of a new job, and never held against one that is there.
_ONLY_OF_NEW = ("description",)
_UNDEFINED = "No definition has its name, and no rule names one."


class Outcome(StrEnum):
    """What becomes of an entry."""

    # There is no such job yet.
    CREATE = "create"
    # There is, and it is otherwise.
    DIFFERS = "differs"
    # There is, and it does the same.
    SAME = "same"
    # There is, and the source does not tell when it was due: the definition does.
    STANDS = "stands"
    # Nothing here does what it runs.
    UNDEFINED = "needs a definition"
    # No job can do it.
    CANNOT = "cannot"
    # It is not known what was meant.
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What becomes of an entry: by which job of which definition (empty: none), and why."""

    entry: Entry
    outcome: Outcome
    job: str = ""
    definition: str = ""
    reason: str = ""
    # The columns that are to be set, and what counts for each so far; of a new job there is nothing yet.
    values: Mapping[str, Any] = field(default_factory=dict)
    present: Mapping[str, Any] = field(default_factory=dict)

    @property
    def stub(self) -> str:
        """The definition that is missing, as the beginning of a module of jobs; empty if none is."""
        return _stub(self.entry) if self.outcome == Outcome.UNDEFINED else ""


@dataclass(frozen=True, slots=True)
class _Match:
    """The definition that does an entry, and whether somebody said so by a rule."""

    definition: JobDefinition
    is_by_rule: bool


def plan(entries: Iterable[Entry], rules: Sequence[Rule] = ()) -> list[Finding]:
    """Return what is to become of each entry, in their order; nothing is written."""
    entries, definitions = list(entries), Definitions(registry)
    matches = [None if each.problem else _match(each, rules, definitions) for each in entries]
    jobs = {each.name: each for each in Job.objects.resolvable()}
    names = _job_names(entries, matches, jobs)
    return [
        _finding(entry, match, names.get(place, ""), jobs)
        for place, (entry, match) in enumerate(zip(entries, matches, strict=True))
    ]


def objections(job: Job, values: Mapping[str, Any]) -> str:
    """Return what the model says against `job` with these values, as sentences; empty if nothing.

    What was wrong with it before, and is not touched, is no objection.
    """
    tried, before = job.copied(), _mistakes(job) if job.pk else {}
    for column, value in values.items():
        setattr(tried, column, value)
    found = {
        column: messages
        for column, messages in _mistakes(tried).items()
        if column in values or messages != before.get(column)
    }
    return " ".join(f"{column}: {' '.join(messages)}" for column, messages in found.items())


def _mistakes(job: Job) -> dict[str, list[str]]:
    try:
        job.full_clean(validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        return error.message_dict
    return {}


def _match(entry: Entry, rules: Sequence[Rule], definitions: Definitions) -> _Match | None:
    for rule in rules:
        if rule.is_about(entry) and (found := definitions.named(rule.definition)):
            return _Match(found, is_by_rule=True)
    named = definitions.called(entry.runs)
    return None if named is None else _Match(named, is_by_rule=False)


def _job_names(entries: Sequence[Entry], matches: Sequence[_Match | None], jobs: Mapping[str, Job]) -> dict[int, str]:
    """Return the name of the job of each entry that has a definition, by its place.

    One entry of each definition, the one of the same name or else the first, is the definition's own job, which
    is there anyway and would run beside the others. Each further one is called as it was.
    """
    by_definition: defaultdict[str, list[int]] = defaultdict(list)
    for place, match in enumerate(matches):
        if match is not None and not _refusal(entries[place], match):
            by_definition[match.definition.name].append(place)
    names: dict[int, str] = {}
    for definition, places in by_definition.items():
        own = next((each for each in places if allowed_name(entries[each].name) == allowed_name(definition)), places[0])
        names[own] = definition
    for definition, places in by_definition.items():
        # Not those of other definitions, whether they have a job yet or not.
        others = {name for name, job in jobs.items() if job.definition != definition} | {each.name for each in registry}
        for place in places:
            if place not in names:
                names[place] = free_name(allowed_name(entries[place].name), others | set(names.values()))
    return names


def _finding(entry: Entry, match: _Match | None, name: str, jobs: Mapping[str, Job]) -> Finding:
    if entry.problem:
        outcome = Outcome.UNREADABLE if entry.is_unreadable else Outcome.CANNOT
        return Finding(entry=entry, outcome=outcome, reason=entry.problem)
    if match is None:
        return Finding(entry=entry, outcome=Outcome.UNDEFINED, reason=f"{_UNDEFINED} {entry.only_by_rule}".strip())
    if reason := _refusal(entry, match):
        return Finding(entry=entry, outcome=Outcome.CANNOT, definition=match.definition.name, reason=reason)
    entry = replace(entry, columns=_columns(entry, match.definition))
    return _judged(entry, match.definition.name, name, jobs)


def _refusal(entry: Entry, match: _Match) -> str:
    """Return why the definition cannot do it, whatever the job's row would say; empty if it can."""
    if not registry.is_available(match.definition):
        return f"Definition {match.definition.name} is not available here: its only_if says so."
    if match.is_by_rule:
        return ""
    return entry.only_by_rule or without_names(len(_flags_of(entry, match.definition)))


def _flags_of(entry: Entry, definition: JobDefinition) -> list[str]:
    """Return the parameters that are flags of the definition, though a word of its own follows in the entry."""
    if not entry.apart:
        return []
    fields = {} if definition.params_form is None else definition.params_form.base_fields
    known = inspect.signature(definition.func).parameters
    flags = {name for name, each in known.items() if isinstance(each.default, bool)}
    flags |= {name for name, each in fields.items() if isinstance(each, BooleanField)}
    return [each for each in entry.apart if each in flags]


def _columns(entry: Entry, definition: JobDefinition) -> dict[str, Any]:
    """Return the columns of the entry, with its flags as that definition has them."""
    columns = dict(entry.columns)
    if flags := _flags_of(entry, definition):
        columns["params"] = {**columns.get("params", {}), **dict.fromkeys(flags, True)}
    return columns


def _judged(entry: Entry, definition: str, name: str, jobs: Mapping[str, Job]) -> Finding:
    found, outcome, reason = jobs.get(name), Outcome.CREATE, ""
    values, present = dict(entry.columns), dict[str, Any]()
    if "schedule" not in entry.columns:
        outcome, values, reason = Outcome.STANDS, {}, _own_schedule(found, definition)
    elif found is not None:
        values = {column: value for column, value in _of_old(entry) if not _is_so(found, column, value)}
        present = {column: effective(found, column) for column in values}
        outcome = Outcome.DIFFERS if values else Outcome.SAME
    if values and (reason := objections(found or Job(name=name, definition=definition), values)):
        outcome = Outcome.CANNOT
    return Finding(
        entry=entry,
        outcome=outcome,
        job=name,
        definition=definition,
        reason=reason,
        values=values,
        present=present,
    )


def _of_old(entry: Entry) -> Iterator[tuple[str, Any]]:
    return ((column, value) for column, value in entry.columns.items() if column not in _ONLY_OF_NEW)


def _own_schedule(job: Job | None, definition: str) -> str:
    if job is None:
        return f"Definition {definition} has no job yet: manage.py migrate makes it."
    schedule = job.schedule_text()
    return (
        f"Its own schedule stands: {schedule}." if schedule else "It runs on demand: only its pickle knew a schedule."
    )


def _is_so(job: Job, column: str, value: Any) -> bool:
    """Return whether `value` is what counts for the job already, whoever said so."""
    if column == "schedule":
        return _canonical(str(effective(job, column) or "")) == _canonical(value)
    if column == "params" and (definition := registry.get(job.definition)):
        value = {**definition.params, **value}
    return bool(effective(job, column) == value)


def _canonical(schedule: str) -> str:
    try:
        return str(parse_schedule(schedule))
    except InvalidSchedule:
        return schedule


def effective(job: Job, column: str) -> Any:
    """Return what counts for the job in this column; of one that is broken, what its row says."""
    if column == "schedule":
        return job.schedule_text()
    if column in ("time_zone", "queue", "params"):
        try:
            return getattr(job.resolve(), column)
        except CronJobsError:
            pass
    return getattr(job, column)


def _stub(entry: Entry) -> str:
    name = allowed_name(entry.runs or entry.name)
    policy = {"schedule": entry.columns.get("schedule", "…"), "time_zone": entry.columns.get("time_zone")}
    options = "".join(f", {key}={value!r}" for key, value in policy.items() if value)
    given, shown = entry.columns.get("params", {}), _shown_params(entry)
    # What is masked is left without a default.
    params = [f"{each}={shown[each]!r}" if shown[each] == given[each] else each for each in shown]
    signature = ", ".join(["context", *(["*", *params] if params else [])])
    body = _call(entry, list(shown)) or f"...  # {escaped_line(entry.runs or entry.name)}"
    return f'@job("{name}"{options})\ndef {_function(name)}({signature}):\n    {body}'


def _shown_params(entry: Entry) -> dict[str, Any]:
    known = storable_json(entry.columns.get("params", {}), mask=words_to_mask())
    return {name: value for name, value in known.items() if _is_identifier(name)}


def _call(entry: Entry, params: Sequence[str]) -> str:
    """Return the call of a management command of Django's that does all of the entry; empty if none does."""
    whose = get_commands().get(entry.runs, "") if entry.is_management and not entry.only_by_rule else ""
    # Django may have a command that was loaded where the name of an app is else.
    if not str(whose).startswith("django.") or len(params) < len(entry.columns["params"]):
        return ""
    given = ", ".join([repr(entry.runs), *(f"{each}={each}" for each in params)])
    return f"call_command({given})"


def _function(name: str) -> str:
    function = name.replace("-", "_")
    return function if _is_identifier(function) else f"job_{function}"


def _is_identifier(text: str) -> bool:
    return text.isidentifier() and not keyword.iskeyword(text)
