"""The form that edits a job: what is left empty is inherited, and the form says what that is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django import forms
from django.forms.fields import InvalidJSONInput
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from cronjobs.admin import rendering
from cronjobs.admin.badges import Tone, badge
from cronjobs.admin.jobs.effective import inherited_values, set_here
from cronjobs.conf import get_settings
from cronjobs.exceptions import InvalidLimit
from cronjobs.journal import Change, changed
from cronjobs.limits import parse_bytes
from cronjobs.models import ExecutorName, Job
from cronjobs.registry import is_valid_name, registry
from cronjobs.storable import storable_json, unmasked_json

if TYPE_CHECKING:
    JobModelForm = forms.ModelForm[Job]
else:
    JobModelForm = forms.ModelForm

_NAME = _("Lower-case letters, digits, hyphens and underscores. It cannot be changed later.")
_DURATION = _("Seconds, MM:SS, HH:MM:SS or “days HH:MM:SS”.")


class ParametersField(forms.JSONField):
    """JSON that a person can read."""

    widget = forms.Textarea(attrs={"rows": 6, "cols": 60, "spellcheck": "false", "data-unset": "{}"})

    def to_python(self, value: Any) -> Any:
        try:
            return super().to_python(value)
        except (RecursionError, ValueError) as error:
            # Brackets without end, or a number of thousands of digits.
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid") from error

    def bound_data(self, data: Any, initial: Any) -> Any:
        try:
            found = super().bound_data(data, initial)
            # A lone half of a character can be written in JSON, and not shown.
            json.dumps(found, ensure_ascii=False).encode()
        except (RecursionError, ValueError):
            return InvalidJSONInput(data)
        return found

    def prepare_value(self, value: Any) -> Any:
        # What was typed and is no JSON comes back as it was.
        return value if isinstance(value, InvalidJSONInput) else json.dumps(value, indent=2, ensure_ascii=False)


class SizeField(forms.CharField):
    """A number of bytes, as code says it too: 512M."""

    def to_python(self, value: Any) -> Any:
        if value in self.empty_values:
            return None
        try:
            return parse_bytes(value)
        except InvalidLimit as error:
            raise forms.ValidationError(str(error)) from error

    def prepare_value(self, value: Any) -> Any:
        is_whole = isinstance(value, int) and value > 0 and value % 2**20 == 0
        return f"{value // 2**20}M" if is_whole else value


class JobForm(JobModelForm):
    """A job's columns; NULL where a field is left empty."""

    definition = forms.ChoiceField(
        label=_("Definition"), choices=[], help_text=_("The function that runs. Only registered ones can be chosen.")
    )
    on_demand = forms.BooleanField(
        label=_("On demand only"),
        required=False,
        help_text=_("Never by itself, even if the definition or the settings have a schedule."),
    )
    memory_limit = SizeField(
        label=_("Memory limit"),
        required=False,
        help_text=_("What the process and its children may take together, such as 512M or 2G."),
    )
    params = ParametersField(label=_("Parameters"), required=False, help_text=_("A JSON object."))

    class Meta:
        model = Job
        fields = (
            "name",
            "definition",
            "schedule",
            "time_zone",
            "params",
            "enabled",
            "paused",
            "paused_until",
            "starts_at",
            "ends_at",
            "calendar",
            "jitter",
            "misfire_grace",
            "catch_up",
            "overlap",
            "max_instances",
            "queue",
            "priority",
            "max_attempts",
            "initial_delay",
            "max_delay",
            "backoff_multiplier",
            "rerun_lost",
            "rate_limit",
            "executor",
            "timeout",
            "memory_limit",
            "cpu_limit",
            "depends_on",
            "alert_on",
            "alert_to",
            "alert_after",
            "late_after",
            "expected_duration",
            "no_success_after",
            "ping_url",
            "runbook_url",
            "owner",
            "description",
        )
        widgets = {"description": forms.Textarea(attrs={"rows": 3, "cols": 60})}
        help_texts = {
            "enabled": _("A job that is not enabled is never due. It can still be run by hand."),
            "paused": _("As not enabled, for a while: until the time below, or until somebody resumes it."),
            "starts_at": _("The job is not due before. Empty: from now on."),
            "ends_at": _("The job is not due after. Empty: for ever."),
            "misfire_grace": _("How late a due time may still be served after an outage."),
            "catch_up": _("Which of the due times within the grace run after an outage."),
            "overlap": _("What happens to a due time while an earlier execution is still open."),
            "max_instances": _("How many may run at the same time, over all nodes, if they may run side by side."),
            "queue": _("Nodes may serve some queues only."),
            "priority": _("Which of two waiting executions goes first."),
            "max_attempts": _("The first attempt included."),
            "initial_delay": _("Before the second attempt."),
            "max_delay": _("No wait is longer than this."),
            "backoff_multiplier": _("Each wait is this many times the one before."),
            "rerun_lost": _("Queue an execution again whose worker vanished. Only for jobs that may run twice."),
            "rate_limit": _("Starts per period, over all nodes, such as 10/m, 1/90s or 100/2h. What is beyond waits."),
            "executor": _(
                "A process can be limited and killed; a thread can only be asked to stop. A Celery worker may be on another machine."
            ),
            "timeout": _("A process that runs longer is ended. A thread cannot be; it is reported as overrunning."),
            "cpu_limit": _("CPU time that the process and its children may take together."),
            "depends_on": _(
                "Jobs after which it runs: extract, load:failure, report:always. A name alone: on success."
            ),
            "alert_on": _("Kinds, with commas: failing, missed, late, overrunning, no_success, lost; or none."),
            "alert_to": _("Names of notifiers from the settings, with commas; or none."),
            "alert_after": _("So many executions in a row have to fail before anybody is told."),
            "late_after": _("How long an execution may wait for its start."),
            "expected_duration": _("How long an attempt may run. Nothing is stopped; somebody is told."),
            "no_success_after": _("A dead man's switch: how long there may be no success."),
            "ping_url": _(
                "A monitor that is told of every start and end, as Healthchecks has it. Its path is a secret."
            ),
            "runbook_url": _("A page that says what to do; messages link to it."),
            "owner": _("Whom to ask."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Validating fills the instance in.
        self._stored = {column: getattr(self.instance, column) for column in self.fields if column != "on_demand"}
        self._remember_what_was_shown()
        self._offer_definitions()
        self._offer_executors()
        self._fix_name()
        self.initial["on_demand"] = self.instance.schedule == ""
        self.initial["params"] = rendering.masked(self.instance.params)
        self._explain()

    def clean_params(self) -> Any:
        given = self.cleaned_data["params"]
        stored = self.instance.params
        if given == self.initial["params"]:
            return stored
        if given != storable_json(given):
            raise forms.ValidationError(_("NaN, infinities, very large numbers and NUL characters cannot be stored."))
        # An emptied field means no parameters, not JSON's null.
        return unmasked_json({} if given is None else given, stored, mask=get_settings().mask)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("on_demand"):
            if cleaned.get("schedule"):
                self.add_error("on_demand", _("A job with a schedule is not on demand only: empty one of the two."))
            cleaned["schedule"] = ""
        if cleaned.get("paused_until") and not cleaned.get("paused"):
            if "paused_until" in self.changed_data:
                self.add_error("paused_until", _("Only a paused job can resume."))
            cleaned["paused_until"] = None
        return cleaned

    def changed_columns(self) -> list[str]:
        """Return the columns that differ from what the form showed."""
        changed = {"schedule" if name == "on_demand" else name for name in self.changed_data}
        if "paused" in changed:
            changed.add("paused_until")
        # What could not be read was shown as empty, and is mended by what is left there.
        return sorted(changed | set(self.instance.unreadable) & set(self.fields))

    def change(self) -> Change:
        """Return what saving the form changes of the job."""
        return changed(self.instance, {column: self._stored[column] for column in self.changed_columns()})

    def _remember_what_was_shown(self) -> None:
        """Let the page carry what it showed: saved is what this person has changed, whatever others did meanwhile."""
        if not self.is_bound or any(key.startswith("initial-") for key in self.data):
            for field in self.fields.values():
                field.show_hidden_initial = True

    def _offer_definitions(self) -> None:
        field, current = self.fields["definition"], self.instance.definition
        choices = [("", "---------"), *((each.name, each.name) for each in registry)]
        if current and current not in registry:
            choices.append((current, format_html("{} ({})", current, _("not registered"))))
        field.choices = choices  # type: ignore[attr-defined]  # declared above

    def _offer_executors(self) -> None:
        # One that is chosen already stays: it is told what is wrong with it, and not changed behind anybody's back.
        field: Any = self.fields.get("executor")
        if field is None or get_settings().celery_app or self.instance.executor == ExecutorName.CELERY:
            return
        field.choices = [each for each in field.choices if each[0] != ExecutorName.CELERY]

    def _fix_name(self) -> None:
        if "name" not in self.fields:
            return
        # Settings, addresses and history know a job by its name; one that is not valid must be mended.
        if self.instance.pk and is_valid_name(self.instance.name):
            self.fields["name"].disabled = True
        else:
            self.fields["name"].help_text = _NAME

    def _explain(self) -> None:
        own = set_here(self.instance) if self.instance.pk else []
        inherited = inherited_values(name=self.instance.name, definition=self["definition"].value() or "")
        for column, field in self.fields.items():
            if isinstance(field, forms.DurationField):
                field.help_text = format_html("{} {}", field.help_text, _DURATION)
            if column not in inherited and column not in own:
                continue
            if column in inherited:
                said = _("Default: %(value)s.") if column in own else _("Inherited: %(value)s.")
                text = said % {"value": inherited[column]}
                field.help_text = format_html('{} <span class="cron-inherited">{}</span>', field.help_text, text)
                _label_empty_choice(field, text)
            if column in own:
                field.help_text = format_html("{} {}", field.help_text, self._restore_link(column))

    def _restore_link(self, column: str) -> str:
        """Return what leads to the page that restores the default; a script does it in the form where it can."""
        # The schedule has a second field, which says that there is to be none. Another text that is empty and yet
        # set looks in the form as if it were not.
        fields = "schedule on_demand" if column == "schedule" else "" if self._stored[column] == "" else column
        return format_html(
            '{} <a href="../defaults/?column={}" data-restore="{}" data-restored="{}" aria-label="{}">{}</a>',
            badge(_("Set here"), Tone.ODD),
            column,
            fields,
            _("It will be the default again when you save."),
            _("Restore default: %(field)s") % {"field": self.fields[column].label},
            _("Restore default"),
        )


def _label_empty_choice(field: forms.Field, text: str) -> None:
    """Let the choice that means NULL say what it leads to."""
    if not isinstance(field, forms.ChoiceField | forms.NullBooleanField):
        return
    widget: Any = field.widget
    widget.choices = [(value, text if value in {"", "unknown"} else label) for value, label in widget.choices]
