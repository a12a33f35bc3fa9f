"""Routes of the REST API; each works with and without a trailing slash, since a POST survives no redirect."""

from __future__ import annotations

from django.urls import re_path

from cronjobs.api.executions.execute import ExecuteView
from cronjobs.api.executions.histories import ExecutionsView
from cronjobs.api.executions.logs import AttemptsView, LogsView
from cronjobs.api.executions.trees import TreeView
from cronjobs.api.executions.views import CancelView, ExecutionView, RetryView
from cronjobs.api.figures.conversations import LegacyConversationsView
from cronjobs.api.figures.metrics import MetricsView
from cronjobs.api.figures.stats import StatsView
from cronjobs.api.jobs.definitions import DefinitionsView
from cronjobs.api.jobs.previews import PreviewView
from cronjobs.api.jobs.views import JobsView, JobView, PauseJobView, PreviewJobView, ResumeJobView, SkipNextView
from cronjobs.api.site.alerts import AlertsView
from cronjobs.api.site.description import DocsView, SchemaView
from cronjobs.api.site.health import HealthView, SchedulingView
from cronjobs.api.site.nodes import DrainNodeView, NodesView, UndrainNodeView
from cronjobs.api.site.probes import LiveView, ReadyView
from cronjobs.api.site.queues import (
    PauseEverythingView,
    PauseQueueView,
    QueuesView,
    QueueView,
    ResumeEverythingView,
    ResumeQueueView,
)
from cronjobs.api.site.status import StatusView
from cronjobs.api.site.workers import WorkersView
from cronjobs.api.views import NoView

app_name = "cronjobs"
urlpatterns = [
    re_path(r"^status/?\Z", StatusView.as_view(), name="status"),
    # Anything may stand where a name or a number does: what is none is answered like every unknown one.
    re_path(r"^execute/(?P<name>(?s:.*?))/?\Z", ExecuteView.as_view(), name="execute"),
    re_path(r"^execute\Z", ExecuteView.as_view(), {"name": ""}),
    re_path(r"^executions/?\Z", ExecutionsView.as_view(), name="executions"),
    re_path(r"^executions/(?P<pk>[^/]+)/?\Z", ExecutionView.as_view(), name="execution"),
    re_path(r"^executions/(?P<pk>[^/]+)/attempts/?\Z", AttemptsView.as_view(), name="attempts"),
    re_path(r"^executions/(?P<pk>[^/]+)/logs/?\Z", LogsView.as_view(), name="logs"),
    re_path(r"^executions/(?P<pk>[^/]+)/cancel/?\Z", CancelView.as_view(), name="cancel"),
    re_path(r"^executions/(?P<pk>[^/]+)/retry/?\Z", RetryView.as_view(), name="retry"),
    re_path(r"^executions/(?P<pk>[^/]+)/tree/?\Z", TreeView.as_view(), name="tree"),
    re_path(r"^alerts/?\Z", AlertsView.as_view(), name="alerts"),
    re_path(r"^nodes/?\Z", NodesView.as_view(), name="nodes"),
    re_path(r"^workers/?\Z", WorkersView.as_view(), name="workers"),
    re_path(r"^nodes/(?P<name>(?s:.*?))/drain/?\Z", DrainNodeView.as_view(), name="node-drain"),
    re_path(r"^nodes/(?P<name>(?s:.*?))/undrain/?\Z", UndrainNodeView.as_view(), name="node-undrain"),
    re_path(r"^definitions/?\Z", DefinitionsView.as_view(), name="definitions"),
    re_path(r"^jobs/?\Z", JobsView.as_view(), name="jobs"),
    re_path(r"^jobs/(?P<name>(?s:.*?))/pause/?\Z", PauseJobView.as_view(), name="job-pause"),
    re_path(r"^jobs/(?P<name>(?s:.*?))/resume/?\Z", ResumeJobView.as_view(), name="job-resume"),
    re_path(r"^jobs/(?P<name>(?s:.*?))/skip-next/?\Z", SkipNextView.as_view(), name="job-skip-next"),
    re_path(r"^jobs/(?P<name>(?s:.*?))/preview/?\Z", PreviewJobView.as_view(), name="job-preview"),
    re_path(r"^jobs/(?P<name>(?s:.*?))/?\Z", JobView.as_view(), name="job"),
    re_path(r"^queues/?\Z", QueuesView.as_view(), name="queues"),
    re_path(r"^queues/(?P<name>(?s:.*?))/pause/?\Z", PauseQueueView.as_view(), name="queue-pause"),
    re_path(r"^queues/(?P<name>(?s:.*?))/resume/?\Z", ResumeQueueView.as_view(), name="queue-resume"),
    re_path(r"^queues/(?P<name>(?s:.*?))/?\Z", QueueView.as_view(), name="queue"),
    re_path(r"^pause/?\Z", PauseEverythingView.as_view(), name="pause"),
    re_path(r"^resume/?\Z", ResumeEverythingView.as_view(), name="resume"),
    re_path(r"^preview/?\Z", PreviewView.as_view(), name="preview"),
    re_path(r"^stats/?\Z", StatsView.as_view(), name="stats"),
    re_path(r"^stats/legacy-conversations/?\Z", LegacyConversationsView.as_view(), name="legacy-conversations"),
    re_path(r"^health/?\Z", HealthView.as_view(), name="health"),
    re_path(r"^scheduling/?\Z", SchedulingView.as_view(), name="scheduling"),
    re_path(r"^metrics/?\Z", MetricsView.as_view(), name="metrics"),
    re_path(r"^live/?\Z", LiveView.as_view(), name="live"),
    re_path(r"^ready/?\Z", ReadyView.as_view(), name="ready"),
    re_path(r"^schema/?\Z", SchemaView.as_view(), name="schema"),
    re_path(r"^docs/?\Z", DocsView.as_view(), name="docs"),
    re_path(r"", NoView.as_view()),
]
