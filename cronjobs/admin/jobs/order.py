"""Which jobs a job runs after, and which run after it, with links."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from cronjobs.admin import rendering
from cronjobs.admin.badges import Tone, badge
from cronjobs.dependencies import Condition, objection
from cronjobs.models import Job
from cronjobs.models.graph import load_graph_and_ids


class JobOrder:
    """Which job runs after which, over all jobs: read once for a page, with links."""

    def __init__(self) -> None:
        self._graph, self._ids = load_graph_and_ids(Job.objects.all())
        self._followers: defaultdict[str, list[tuple[str, Condition]]] = defaultdict(list)
        for name, dependencies in self._graph.items():
            for upstream, condition in dependencies.items():
                self._followers[upstream].append((name, condition))

    def after(self, job: Job) -> SafeString:
        """Return "After extract, load (on failure)"; nothing if the job depends on none."""
        dependencies = self._graph.get(job.name, {})
        return rendering.sentence(_("After {jobs}"), jobs=self._links(dependencies.items())) if dependencies else _EMPTY

    def followers(self, job: Job) -> SafeString:
        """Return "Followed by report, alarm (on failure)"; nothing if no job depends on this one."""
        followers = self._followers.get(job.name, [])
        return rendering.sentence(_("Followed by {jobs}"), jobs=self._links(followers)) if followers else _EMPTY

    def warning(self, job: Job) -> SafeString:
        """Return why the job can never run after others; nothing if it can."""
        text = objection(job.name, self._graph) if job.name in self._graph else ""
        return rendering.lines(badge(_("Never runs after others"), Tone.ODD), rendering.quiet(text)) if text else _EMPTY

    def _links(self, jobs: Iterable[tuple[str, Condition]]) -> SafeString:
        return format_html_join(", ", "{}{}", ((self._link(name), _ending(condition)) for name, condition in jobs))

    def _link(self, name: str) -> SafeString:
        if name not in self._ids:
            return rendering.sentence(_("{job} (no such job)"), job=name)
        url = reverse("admin:cronjobs_job_change", args=[self._ids[name]])
        return format_html('<a href="{}">{}</a>', url, name)


_EMPTY = SafeString("")


def _ending(condition: Condition) -> str:
    match condition:
        case Condition.SUCCESS:
            return ""
        case Condition.FAILURE:
            return _(" (on failure)")
        case Condition.ALWAYS:
            return _(" (however it ends)")
