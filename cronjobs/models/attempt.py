"""What is kept of an execution beside its row: the attempts that did not succeed, and the log."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from cronjobs.models.execution import JobExecution
from cronjobs.states import ExecutionStatus


class ExecutionAttempt(models.Model):
    """One attempt that did not succeed: what went wrong, where, after how long."""

    execution = models.ForeignKey(
        JobExecution, db_constraint=False, on_delete=models.CASCADE, related_name="attempts", db_index=False
    )
    attempt = models.PositiveSmallIntegerField(_("attempt"))
    status = models.CharField(_("status"), max_length=9, choices=ExecutionStatus.choices)
    node = models.CharField(_("node"), max_length=150, blank=True, default="")
    started_at = models.DateTimeField(_("started"), null=True)
    finished_at = models.DateTimeField(_("finished"), null=True)
    duration_ms = models.PositiveBigIntegerField(_("duration in ms"), null=True)
    error_type = models.CharField(_("error type"), max_length=200, blank=True, default="")
    error_message = models.TextField(_("error"), blank=True, default="")
    traceback = models.TextField(_("traceback"), blank=True, default="")
    peak_rss_bytes = models.PositiveBigIntegerField(_("peak memory"), null=True)
    cpu_ms = models.PositiveBigIntegerField(_("CPU time in ms"), null=True)

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        ordering = ("attempt",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["execution", "attempt"], name="cronjobs_attempt_once"),
        ]

    def __str__(self) -> str:
        return f"{self.execution_id}/{self.attempt}"


class ExecutionLog(models.Model):
    """One line that a job logged."""

    execution = models.ForeignKey(
        JobExecution, db_constraint=False, on_delete=models.CASCADE, related_name="log_lines", db_index=False
    )
    attempt = models.PositiveSmallIntegerField(_("attempt"))
    number = models.PositiveIntegerField(_("number"))
    level = models.PositiveSmallIntegerField(_("level"))
    message = models.TextField(_("message"))
    data = models.JSONField(_("data"), null=True)
    logged_at = models.DateTimeField(_("time"))

    class Meta:
        verbose_name = _("log line")
        verbose_name_plural = _("log lines")
        ordering = ("attempt", "number")
        constraints: ClassVar = [
            # Also what makes writing a batch again, after a lost reply to COMMIT, harmless.
            models.UniqueConstraint(fields=["execution", "attempt", "number"], name="cronjobs_log_once"),
        ]

    def __str__(self) -> str:
        return self.message
