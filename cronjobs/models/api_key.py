"""Keys with which programs use the HTTP API: each acts for one user, within what it was limited to."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, Final, Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from cronjobs.permissions import KEY_ACTIONS
from cronjobs.registry import is_valid_name

# What a key begins with, so that people and secret scanners know one when they see it.
MARK: Final = "cron"
_PREFIX_BYTES: Final = 5
_SECRET_BYTES: Final = 32
# When a key was last used is known to the minute, so that a program that polls does not write with each request.
_USE_IS_NOTED_EVERY: Final = timedelta(minutes=1)


def _digest(text: str) -> str:
    # 256 random bits cannot be guessed from a plain hash, however fast it is; passwords could.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _check_actions(value: object) -> None:
    if not isinstance(value, list) or not value:
        raise ValidationError(_("Say what the key may be used for: a list of at least one action."))
    if unknown := [each for each in value if each not in KEY_ACTIONS]:
        known = ", ".join(KEY_ACTIONS)
        raise ValidationError(
            _("There is no action %(unknown)r; known: %(known)s."), params={"unknown": unknown[0], "known": known}
        )


def _check_jobs(value: object) -> None:
    if not isinstance(value, list):
        raise ValidationError(_("This is a list of names of jobs; an empty one stands for all jobs."))
    for each in value:
        if not isinstance(each, str) or not is_valid_name(each):
            raise ValidationError(_("%(value)r cannot be the name of a job."), params={"value": each})


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    """Keys, by what those who make and check them ask."""

    def issue(
        self,
        *,
        user: Any,
        name: str,
        actions: Collection[str],
        jobs: Collection[str] = (),
        expires_at: datetime | None = None,
    ) -> tuple[ApiKey, str]:
        """Store a new key of `user`, and return it with its text, which nothing can show again.

        `actions` are of `permissions.KEY_ACTIONS`; `jobs` are the names of the only jobs that the
        key reaches, and none stand for all. Raises `ValidationError`, by field.
        """
        key = self.model(user=user, name=name, actions=sorted(actions), jobs=sorted(jobs), expires_at=expires_at)
        text = key.make_secret()
        key.full_clean()
        key.save(using=self.db, force_insert=True)
        return key, text

    def matching(self, text: str) -> ApiKey | None:
        """Return the key that `text` is, with its user, whether or not it is still good; None if there is none.

        A row is found by the key's prefix, which is no secret; the secret is compared in constant time.
        """
        mark, _, rest = text.partition("_")
        prefix, _, secret = rest.partition("_")
        if mark != MARK or not secret or not (prefix.isascii() and prefix.isalnum()):
            return None
        key = self.filter(prefix=prefix).select_related("user").first()
        if key is None or not hmac.compare_digest(key.digest, _digest(text)):
            return None
        return key

    def revoke(self) -> int:
        """Let them be used no more, from now on; return how many could be until now."""
        return self.filter(revoked_at=None).update(revoked_at=timezone.now())

    def unrevoked(self) -> Self:
        """Return those that nobody has revoked; they may have expired."""
        return self.filter(revoked_at=None)


class ApiKey(models.Model):
    """A key: the user it acts for, and the actions and jobs it is limited to. Its text is not stored.

    A request with it may do what the user may, as far as the key names it as well.
    """

    name = models.CharField(_("name"), max_length=100, help_text=_("Who or what uses it, for people."))
    # Without a constraint: users may live in another database.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        db_constraint=False,
        related_name="+",
        verbose_name=_("user"),
        help_text=_("The key may never do more than this user."),
    )
    prefix = models.CharField(_("prefix"), max_length=20, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    actions = models.JSONField(_("actions"), default=list, validators=[_check_actions])
    jobs = models.JSONField(
        _("jobs"), default=list, blank=True, validators=[_check_jobs], help_text=_("Empty: all jobs, and queues too.")
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True, help_text=_("Empty: never."))
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True, editable=False)

    objects = models.Manager.from_queryset(ApiKeyQuerySet)()

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        ordering = ("-pk",)

    def __str__(self) -> str:
        return f"{self.name} ({self.label})"

    @property
    def label(self) -> str:
        """The part of the key that is no secret."""
        return f"{MARK}_{self.prefix}"

    @property
    def is_limited(self) -> bool:
        """Whether it reaches only some jobs, and nothing that concerns others."""
        return bool(self.jobs)

    def reaches(self, name: str) -> bool:
        """Return whether it may be used on the job `name`, if there is one."""
        return not self.is_limited or name in self.jobs

    def why_not_good(self, now: datetime) -> str:
        """Return why nobody is let in with it; empty if somebody is."""
        if self.revoked_at is not None:
            return "The key has been revoked."
        if self.expires_at is not None and self.expires_at <= now:
            return "The key has expired."
        return "" if self.user.is_active else "The key's user is not active."

    def make_secret(self) -> str:
        """Give the key a new prefix and secret, unsaved, and return its text."""
        self.prefix = secrets.token_hex(_PREFIX_BYTES)
        text = f"{self.label}_{secrets.token_urlsafe(_SECRET_BYTES)}"
        self.digest = _digest(text)
        return text

    def note_use(self, now: datetime) -> None:
        """Remember that it was used, unless that was noted within the last minute."""
        since = now - _USE_IS_NOTED_EVERY
        if self.last_used_at is None or self.last_used_at < since:
            rows = type(self).objects.using(self._state.db).filter(pk=self.pk)
            rows.filter(Q(last_used_at=None) | Q(last_used_at__lt=since)).update(last_used_at=now)
