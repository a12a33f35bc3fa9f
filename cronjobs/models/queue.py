"""A queue: a name that executions wait under, with how many of them may run at once."""

from __future__ import annotations

from django.core.validators import MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from cronjobs.models.batches import EngineManager


class Queue(models.Model):
    """What an operator has decided about a queue. One without a row is neither limited nor paused."""

    name = models.CharField(_("name"), max_length=50, unique=True)
    limit = models.PositiveIntegerField(
        _("most at once"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("How many executions of this queue may run at the same time, over all nodes. Empty: any number."),
    )
    paused = models.BooleanField(
        _("paused"), default=False, help_text=_("Nothing of a paused queue is started; what runs goes on.")
    )
    description = models.TextField(_("description"), blank=True, default="")

    objects = EngineManager()

    class Meta:
        verbose_name = _("queue")
        verbose_name_plural = _("queues")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name
