"""Pages in Django's admin: what ran, what runs next, and buttons for those who may press them."""

from __future__ import annotations

from django.contrib import admin

from cronjobs.admin.alerts.listing import AlertAdmin
from cronjobs.admin.api_keys.listing import ApiKeyAdmin
from cronjobs.admin.audit_entries import AuditEntryAdmin
from cronjobs.admin.calendars import CalendarAdmin
from cronjobs.admin.dashboard.page import DashboardAdmin
from cronjobs.admin.executions.listing import ExecutionAdmin
from cronjobs.admin.jobs.listing import JobAdmin
from cronjobs.admin.nodes.listing import NodeAdmin
from cronjobs.admin.queues import QueueAdmin
from cronjobs.admin.stock import unregister_stock_admin
from cronjobs.admin.workers import WorkerAdmin
from cronjobs.models import Alert, ApiKey, AuditEntry, Calendar, CeleryWorker, Dashboard, Job, JobExecution, Node, Queue

__all__ = [
    "AlertAdmin",
    "ApiKeyAdmin",
    "AuditEntryAdmin",
    "CalendarAdmin",
    "DashboardAdmin",
    "ExecutionAdmin",
    "JobAdmin",
    "NodeAdmin",
    "QueueAdmin",
    "WorkerAdmin",
]

admin.site.register(Dashboard, DashboardAdmin)
admin.site.register(Job, JobAdmin)
admin.site.register(Calendar, CalendarAdmin)
admin.site.register(JobExecution, ExecutionAdmin)
admin.site.register(Node, NodeAdmin)
admin.site.register(CeleryWorker, WorkerAdmin)
admin.site.register(Queue, QueueAdmin)
admin.site.register(Alert, AlertAdmin)
admin.site.register(ApiKey, ApiKeyAdmin)
admin.site.register(AuditEntry, AuditEntryAdmin)
unregister_stock_admin()
