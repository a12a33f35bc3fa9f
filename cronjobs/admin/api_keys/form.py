"""The forms that make and edit a key of the API: for oneself or, where a superuser asks, for anybody."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.admin.widgets import FilteredSelectMultiple
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from cronjobs.models import ApiKey, Job
from cronjobs.models.api_key import active_user
from cronjobs.permissions import KEY_ACTIONS

if TYPE_CHECKING:
    ApiKeyModelForm = forms.ModelForm[ApiKey]
else:
    ApiKeyModelForm = forms.ModelForm

# How each action is called, and what it opens.
ACTIONS: Mapping[str, tuple[Any, Any]] = {
    "view_job": (_("View job"), _("the status, jobs and when they run, nodes, what the code defines")),
    "add_job": (_("Add job"), _("from what the code defines")),
    "change_job": (_("Change job"), _("also pause, resume, enable and disable it, and skip its next due time")),
    "delete_job": (_("Delete job"), _("if the code does not define it")),
    "run_job": (_("Run a job now"), _("and see what comes of it")),
    "pause_job": (_("Pause a job"), ""),
    "resume_job": (_("Resume a job"), ""),
    "enable_job": (_("Enable a job"), ""),
    "disable_job": (_("Disable a job"), ""),
    "view_jobexecution": (_("View execution"), _("the history, logs, errors and flows")),
    "cancel_jobexecution": (_("Cancel an execution"), ""),
    "retry_jobexecution": (_("Run an execution again"), ""),
    "view_queue": (_("View queue"), _("what waits and runs in each")),
    "change_queue": (_("Change queue"), _("also pause and resume it, or everything")),
    "drain_node": (_("Drain a node"), _("or let it keep working")),
    "view_alert": (_("View alert"), _("what is wrong now, and what people were told")),
}


def action_labels(actions: Collection[str]) -> str:
    """Return how people call actions, in their usual order; those that are not known by their names."""
    known = [str(ACTIONS[each][0]) for each in KEY_ACTIONS if each in actions]
    return ", ".join([*known, *sorted(set(actions) - set(KEY_ACTIONS))])


def _choices() -> list[tuple[str, str]]:
    return [(each, ": ".join(str(part) for part in ACTIONS[each] if part)) for each in KEY_ACTIONS]


class JobsWidget(FilteredSelectMultiple):
    """Django's two lists, which put themselves where the label would be if nothing held them."""

    def render(self, *args: Any, **kwargs: Any) -> SafeString:
        return format_html('<div class="cron-jobs">{}</div>', super().render(*args, **kwargs))


class ApiKeyForm(ApiKeyModelForm):
    """What may be changed of a key: its name and its limits, never its user nor its secret."""

    actions = forms.MultipleChoiceField(
        label=_("Actions"),
        choices=_choices,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Whatever is ticked, the key does no more than its user may."),
    )
    jobs = forms.MultipleChoiceField(
        label=_("Jobs"),
        required=False,
        widget=JobsWidget(_("jobs"), is_stacked=False),
        help_text=_(
            "None chosen: all jobs, and queues too. Otherwise the key reaches these jobs and their executions, "
            "and nothing that concerns others."
        ),
    )

    class Meta:
        model = ApiKey
        fields = ("name", "actions", "jobs", "expires_at")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        reach = sorted(self.instance.reach or ())
        jobs: Any = self.fields["jobs"]
        # Also jobs that are gone: without them, saving might leave none chosen, which is all.
        names = {*Job.objects.values_list("name", flat=True), *reach}
        jobs.choices = [(name, name) for name in sorted(names)]
        if self.instance.pk is not None:
            self.initial.update(actions=sorted(self.instance.allowed), jobs=reach)

    def clean_expires_at(self) -> datetime | None:
        at: datetime | None = self.cleaned_data["expires_at"]
        if at is not None and at <= timezone.now() and "expires_at" in self.changed_data:
            raise forms.ValidationError(_("This time has passed."))
        return at


class NewKeyForm(ApiKeyForm):
    """A key for whoever asks; sent twice it makes one key, since it has chosen the prefix already."""

    key_prefix = forms.RegexField(r"^[0-9a-f]{10}\Z", label="", widget=forms.HiddenInput)


class KeyForAnybodyForm(NewKeyForm):
    """A key for any user."""

    user = forms.CharField(
        label=_("User"),
        help_text=_("Whom it acts for, by the name to log in with."),
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )

    def clean_user(self) -> Any:
        return active_user(self.cleaned_data["user"])
