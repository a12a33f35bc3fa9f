"""Keys with which programs use the HTTP API: each acts for one user, within what it was limited to."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, Final, Self

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from cronjobs.database import in_transaction
from cronjobs.models.batches import EngineManager
from cronjobs.models.choices import KeyState
from cronjobs.permissions import KEY_ACTIONS, key_permission, may
from cronjobs.registry import is_valid_name

# What a key begins with, so that people and secret scanners know one when they see it.
MARK: Final = "cron"
# How long a key is good if nobody says otherwise: one that is forgotten ends by itself.
LIFETIME: Final = timedelta(days=90)
_PREFIX_BYTES: Final = 5
_SECRET_BYTES: Final = 32
# When a key was last used is known to the minute, so that a program that polls does not write with each request.
_USE_IS_NOTED_EVERY: Final = timedelta(minutes=1)


def _digest(text: str) -> str:
    # 256 random bits cannot be guessed from a plain hash, however fast it is; passwords could.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def new_prefix() -> str:
    """Return what tells one key from another, and is no secret."""
    return secrets.token_hex(_PREFIX_BYTES)


def active_user(name: str) -> Any:
    """Return the active user who logs in as `name`; raise `ValidationError`."""
    users = get_user_model()
    try:
        # For what cannot be printed some databases refuse to look.
        user = users._default_manager.get_by_natural_key(name) if name.isprintable() else None  # noqa: SLF001 - Django's documented API
    except users.DoesNotExist:
        user = None
    if user is None:
        raise ValidationError(_("There is no user named %(name)r."), params={"name": name})
    if not user.is_active:
        raise ValidationError(_("The user %(name)s is not active."), params={"name": user.get_username()})
    return user


def _check_name(value: str) -> None:
    if not value.isprintable():
        raise ValidationError(_("A name is one line, of characters that can be printed."))


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


def _texts(value: object) -> frozenset[str]:
    """Return what a column of texts holds; nothing if SQL has written something else there."""
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        return frozenset()
    return frozenset(value)


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    """Keys, by what those who make and check them ask."""

    @sensitive_variables("text")
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
        limits = {"actions": sorted(set(actions)), "jobs": sorted(set(jobs)), "expires_at": expires_at}
        key = self.model(user=user, name=name.strip(), **limits)
        text = key.make_secret(new_prefix())
        key.full_clean()
        key.save(using=self.db, force_insert=True)
        return key, text

    def replace(
        self, prefix: str, *, expires_at: datetime | None, keep: timedelta = timedelta(0)
    ) -> tuple[ApiKey, str]:
        """Issue a key for the same user, with the same name and limits, as the one of `prefix`.

        That one is revoked, or expires after `keep` if it would be good for longer.
        Raises `DoesNotExist` if there is none, or it has been revoked, and `ValidationError`, by field.
        """

        def work() -> tuple[ApiKey, str]:
            old = self.unrevoked().select_for_update().get(prefix=prefix)
            # What SQL has made of them is closed, and a list made of that might not be.
            _check_actions(old.actions)
            _check_jobs(old.jobs)
            made = self.issue(user=old.user, name=old.name, actions=old.actions, jobs=old.jobs, expires_at=expires_at)
            end, rows = timezone.now() + keep, self.filter(pk=old.pk)
            if not keep:
                rows.revoke()
            elif old.expires_at is None or old.expires_at > end:
                rows.update(expires_at=end)
            return made

        return in_transaction(self.db, work)

    @sensitive_variables("text", "rest", "secret")
    def matching(self, text: str) -> ApiKey | None:
        """Return the key that `text` is, with its user, whether or not it is still good; None if there is none.

        A row is found by the key's prefix, which is no secret; the secret is compared in constant time.
        """
        mark, _, rest = text.partition("_")
        prefix, _, secret = rest.partition("_")
        if mark != MARK or not secret or not (prefix.isascii() and prefix.isalnum()):
            return None
        key = self.filter(prefix=prefix).select_related("user").first()
        if key is None or not hmac.compare_digest(key.digest.encode(), _digest(text).encode()):
            return None
        return key

    def revoke(self) -> int:
        """Let them be used no more, from now on; return how many could be until now."""
        return self.filter(revoked_at=None).update(revoked_at=timezone.now())

    def unrevoked(self) -> Self:
        """Return those that nobody has revoked; they may have expired."""
        return self.filter(revoked_at=None)

    def in_state(self, state: KeyState, now: datetime) -> Self:
        """Return those of which `ApiKey.state` says the same."""
        if state == KeyState.REVOKED:
            return self.exclude(revoked_at=None)
        expired = Q(expires_at__lte=now)
        if state == KeyState.EXPIRED:
            return self.unrevoked().filter(expired)
        # A project's users may have no such column: then all are active.
        has_column = any(each.name == "is_active" for each in get_user_model()._meta.get_fields())  # noqa: SLF001 - Django's documented API
        inactive = Q(user__is_active=False) if has_column else Q(pk__in=[])
        return self.unrevoked().exclude(expired).filter(~inactive if state == KeyState.GOOD else inactive)


class ApiKey(models.Model):
    """A key: the user it acts for, and the actions and jobs it is limited to. Its text is not stored.

    A request with it may do what the user may, as far as the key names it as well.
    """

    name = models.CharField(
        _("name"), max_length=100, validators=[_check_name], help_text=_("Who or what uses it, for people.")
    )
    # Without a constraint, so that a database without users can have the app's tables; keys need both in one.
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

    objects = EngineManager.from_queryset(ApiKeyQuerySet)()

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
    def allowed(self) -> frozenset[str]:
        """The actions that it may be used for."""
        return _texts(self.actions)

    @property
    def reach(self) -> frozenset[str] | None:
        """The names of the only jobs that it reaches, and nothing that concerns others; None: it reaches all."""
        return None if self.jobs == [] else _texts(self.jobs)

    @property
    def lifetime(self) -> timedelta | None:
        """How long it was made to be good for; None: for ever."""
        return None if self.expires_at is None else self.expires_at - self.created_at

    def lacking(self) -> list[str]:
        """Return its actions for which the user has no permission, so that it cannot be used for them."""
        return sorted(each for each in self.allowed if not may(self.user, key_permission(each)))

    def state(self, now: datetime) -> KeyState:
        """Return whether its user is let in with it and, if not, why."""
        if self.revoked_at is not None:
            return KeyState.REVOKED
        if self.expires_at is not None and self.expires_at <= now:
            return KeyState.EXPIRED
        return KeyState.GOOD if self.user.is_active else KeyState.USER_INACTIVE

    def clean(self) -> None:
        """Refuse what could not be meant."""
        if self._state.adding and self.expires_at is not None and self.expires_at <= timezone.now():
            raise ValidationError({"expires_at": _("This time has passed.")})

    def make_secret(self, prefix: str) -> str:
        """Give the key that prefix and a new secret, unsaved, and return its text."""
        self.prefix = prefix
        text = f"{self.label}_{secrets.token_urlsafe(_SECRET_BYTES)}"
        self.digest = _digest(text)
        return text

    def note_use(self, now: datetime) -> None:
        """Remember that it was used, unless that was noted within the last minute."""
        since = now - _USE_IS_NOTED_EVERY
        if self.last_used_at is None or self.last_used_at < since:
            rows = type(self).objects.using(self._state.db).filter(pk=self.pk)
            rows.filter(Q(last_used_at=None) | Q(last_used_at__lt=since)).update(last_used_at=now)
