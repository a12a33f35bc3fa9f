"""Keys of the API in the admin: everybody's own, a superuser's all; made, limited and revoked there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.debug import sensitive_variables

from cronjobs.admin import rendering
from cronjobs.admin.actors import actor_of
from cronjobs.admin.api_keys.form import ApiKeyForm, KeyForAnybodyForm, NewKeyForm, action_labels
from cronjobs.admin.asking import ask_about, is_answered
from cronjobs.admin.badges import key_badge
from cronjobs.admin.filters import KeyStateFilter
from cronjobs.admin.pages import PageAdmin
from cronjobs.database import in_transaction
from cronjobs.journal import Change, record_changes
from cronjobs.models import ApiKey
from cronjobs.models.api_key import LIFETIME, MARK, new_prefix
from cronjobs.models.choices import KeyState
from cronjobs.permissions import KEY_ACTIONS

_MOST_JOBS = 3
_LIMITS = ("name", "actions", "jobs", "expires_at")
_STATE = ("shown_condition", "shown_key", "shown_user", "shown_created_at", "shown_last_used_at")
_STATE_FIELDSET: tuple[Any, Any] = (gettext_lazy("State"), {"fields": _STATE})
_VIEW = ("name", "shown_actions", "shown_reach", "shown_expires_at")


class ApiKeyAdmin(PageAdmin):
    """Keys. Whoever may make one makes it for themselves, and sees their own; superusers, everybody's.

    Changing and revoking takes the permission to change keys: an end that is set to the next
    minute revokes one as well.
    """

    class Media:
        js = ("cronjobs/once.js",)

    form = ApiKeyForm
    list_display = (
        "name",
        "shown_key",
        "shown_user",
        "shown_state",
        "shown_actions",
        "shown_jobs",
        "shown_expires_at",
        "shown_last_used_at",
        "shown_created_at",
    )
    list_filter = (KeyStateFilter,)
    list_select_related = ("user",)
    search_help_text = gettext_lazy("In names of keys and users, and in the first part of a key.")
    sortable_by = ("name", "shown_expires_at", "shown_last_used_at", "shown_created_at")
    ordering = ("-pk",)
    actions = ("revoke",)
    readonly_fields = (*_STATE, *_VIEW[1:])

    @admin.display(description=gettext_lazy("key"))
    def shown_key(self, key: ApiKey) -> str:
        return rendering.code(key.label)

    @admin.display(description=gettext_lazy("user"))
    def shown_user(self, key: ApiKey) -> str:
        return str(key.user.get_username())

    @admin.display(description=gettext_lazy("state"))
    def shown_state(self, key: ApiKey) -> str:
        return key_badge(key.state(timezone.now()))

    @admin.display(description=gettext_lazy("state"))
    def shown_condition(self, key: ApiKey) -> str:
        state = key.state(timezone.now())
        ended = rendering.moment(key.revoked_at) if state == KeyState.REVOKED else ""
        return rendering.lines(key_badge(state), ended, *_complaints(key, state))

    @admin.display(description=gettext_lazy("actions"))
    def shown_actions(self, key: ApiKey) -> str:
        return _("All") if key.allowed.issuperset(KEY_ACTIONS) else action_labels(key.allowed) or _("None")

    @admin.display(description=gettext_lazy("jobs"))
    def shown_jobs(self, key: ApiKey) -> str:
        names = sorted(key.reach or ())
        if len(names) <= _MOST_JOBS + 1:
            return rendering.lines(*map(rendering.one_line, names)) or self.shown_reach(key)
        rest = len(names) - _MOST_JOBS
        more = rendering.quiet(ngettext("and %d more", "and %d more", rest) % rest)
        return rendering.lines(*map(rendering.one_line, names[:_MOST_JOBS]), more)

    @admin.display(description=gettext_lazy("jobs"))
    def shown_reach(self, key: ApiKey) -> str:
        return _("All") if key.reach is None else ", ".join(sorted(key.reach)) or _("None")

    @admin.display(description=gettext_lazy("expires"), ordering="expires_at")
    def shown_expires_at(self, key: ApiKey) -> str:
        return _("Never") if key.expires_at is None else rendering.moment(key.expires_at)

    @admin.display(description=gettext_lazy("last used"), ordering="last_used_at")
    def shown_last_used_at(self, key: ApiKey) -> str:
        return _("Never") if key.last_used_at is None else rendering.ago(key.last_used_at, now=timezone.now())

    @admin.display(description=gettext_lazy("created"), ordering="created_at")
    def shown_created_at(self, key: ApiKey) -> str:
        return rendering.moment(key.created_at)

    @admin.action(description=gettext_lazy("Revoke selected keys"), permissions=["revoke"])
    def revoke(self, request: HttpRequest, keys: QuerySet[ApiKey]) -> HttpResponse | None:
        """Ask first: nothing can bring a key back."""
        found = list(keys.order_by("pk"))
        good = [each for each in found if each.revoked_at is None]
        if good and not is_answered(request):
            return self._ask_about_several(request, good, rest=len(found) - len(good))
        self._revoke(request, [each.pk for each in found])
        return None

    def has_change_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        # A key that was revoked is history.
        is_revoked = obj is not None and obj.revoked_at is not None
        return super().has_change_permission(request, obj) and not is_revoked

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Return whether the person may revoke the keys that they see."""
        return self.has_change_permission(request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiKey]:
        keys: QuerySet[ApiKey] = super().get_queryset(request)
        return keys if _is_superuser(request) else keys.filter(user=request.user.pk)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return lookup == KeyStateFilter.parameter_name

    def get_search_fields(self, request: HttpRequest) -> tuple[str, ...]:
        return ("name", "prefix", f"user__{get_user_model().USERNAME_FIELD}")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[ApiKey], search_term: str
    ) -> tuple[QuerySet[ApiKey], bool]:
        term = search_term.strip()
        if term.startswith(f"{MARK}_"):
            return queryset.filter(prefix__startswith=term.split("_")[1]), False
        return super().get_search_results(request, queryset, search_term)

    def get_fieldsets(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        if obj is None:
            user = ("user",) if _is_superuser(request) else ()
            return [(None, {"fields": ("name", *user, *_LIMITS[1:], "key_prefix")})]
        fields = _LIMITS if self.has_change_permission(request, obj) else _VIEW
        return [(None, {"fields": fields}), _STATE_FIELDSET]

    def get_form(self, request: HttpRequest, obj: ApiKey | None = None, change: bool = False, **kwargs: Any) -> Any:  # noqa: FBT001, FBT002 - Django's
        if obj is None:
            kwargs["form"] = KeyForAnybodyForm if _is_superuser(request) else NewKeyForm
        return super().get_form(request, obj, change, **kwargs)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        end = (timezone.now() + LIFETIME).replace(second=0, microsecond=0)
        initial: dict[str, Any] = super().get_changeform_initial_data(request)
        return {"user": request.user.get_username(), "expires_at": end, **initial, "key_prefix": new_prefix()}

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.revoke_view)
        return [path("<path:object_id>/revoke/", view, name="cronjobs_apikey_revoke"), *super().get_urls()]

    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().add_view(request, *args, **kwargs)
        except IntegrityError:
            if not ApiKey.objects.filter(prefix=request.POST["key_prefix"]).exists():
                raise
        text = _("This was sent before, and the key was made then. If you did not see it, revoke it and make another.")
        self.message_user(request, text, messages.WARNING)
        return self.response_post_save_add(request, ApiKey())

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:  # noqa: FBT001 - Django's
        if change:
            # Only these: somebody may revoke it, or use it, at the same time.
            obj.save(update_fields=form.changed_data)
            return
        user: Any = form.cleaned_data["user"] if _is_superuser(request) else request.user
        obj.user = user
        obj.text = obj.make_secret(form.cleaned_data["key_prefix"])  # type: ignore[attr-defined]  # for the one answer that shows it
        super().save_model(request, obj, form, change)

    @sensitive_variables()
    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None) -> HttpResponse:
        """Show the key, in this answer and nowhere else: a message or a redirect would have to store it."""
        context = {
            **self.admin_site.each_context(request),
            "title": _("The key was made"),
            "opts": self.opts,
            "original": obj,
            "text": obj.text,  # type: ignore[attr-defined]  # set by `save_model`
            "facts": [(each.short_description, each(obj)) for each in self._facts()],
            "complaints": _complaints(obj, KeyState.GOOD),
            "may_view": self.has_view_permission(request, obj),
            "media": self.media,
        }
        headers = {"Cache-Control": "no-store"}
        return TemplateResponse(request, "admin/cronjobs/apikey/made.html", context, headers=headers)

    def revoke_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Answer GET with the page that asks for a yes, POST by revoking."""
        if not self.has_revoke_permission(request):
            raise PermissionDenied
        key: ApiKey | None = self.get_object(request, unquote(object_id))
        if key is None:
            raise Http404
        if request.method == "POST":
            self._revoke(request, [key.pk])
            url = reverse("admin:cronjobs_apikey_change", args=[key.pk], current_app=self.admin_site.name)
            return HttpResponseRedirect(url)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Revoke %s") % key,
            "opts": self.opts,
            "original": key,
            "last_used": self.shown_last_used_at(key),
            "media": self.media,
        }
        return TemplateResponse(request, "admin/cronjobs/apikey/revoke.html", context)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        key: ApiKey | None = context["original"]
        if key is None:
            context |= {"show_save_and_continue": False, "show_save_and_add_another": False}
        else:
            context["may_revoke"] = key.revoked_at is None and self.has_revoke_permission(request)
        return super().render_change_form(request, context, *args, **kwargs)

    def _facts(self) -> tuple[Any, ...]:
        return (self.shown_user, self.shown_actions, self.shown_reach, self.shown_expires_at)

    def _ask_about_several(self, request: HttpRequest, keys: Sequence[ApiKey], *, rest: int) -> HttpResponse:
        count = len(keys)
        sentences = (
            _("From now on nobody is let in with them, and nothing can bring them back."),
            ngettext("%d was revoked already.", "%d were revoked already.", rest) % rest if rest else "",
        )
        names = [f"{each} ({each.user.get_username()})" for each in keys]
        title = ngettext("Revoke %d key", "Revoke %d keys", count) % count
        return ask_about(names, request, self, title=title, step=_("Revoke"), sentences=sentences)

    def _revoke(self, request: HttpRequest, ids: list[int]) -> None:
        """Revoke those of the keys `ids` that were not revoked yet, leave a trace, and say what was done."""
        rows = ApiKey.objects.filter(pk__in=ids).order_by("pk")

        def work() -> int:
            changed = list(rows.unrevoked().select_for_update())
            if changed:
                ApiKey.objects.filter(pk__in=[each.pk for each in changed]).revoke()
                revoked_at = dict(rows.values_list("pk", "revoked_at"))
                record_changes(actor_of(request), (_revocation(each, revoked_at[each.pk]) for each in changed))
            return len(changed)

        done = in_transaction(rows.db, work)
        text = ngettext("%d key was revoked.", "%d keys were revoked.", done) % done
        self.message_user(request, text, messages.SUCCESS if done else messages.WARNING)
        if rest := len(ids) - done:
            text = ngettext("%d was revoked already.", "%d were revoked already.", rest) % rest
            self.message_user(request, text, messages.INFO)


def _is_superuser(request: HttpRequest) -> bool:
    # A project's users need not have the attribute.
    return bool(request.user.is_active and getattr(request.user, "is_superuser", False))


def _revocation(key: ApiKey, at: datetime | None) -> Change:
    return Change(key, {"revoked_at": None}, {"revoked_at": at})


def _complaints(key: ApiKey, state: KeyState) -> list[str]:
    """Return what keeps a key that is good from being used for all that it names."""
    lacking = key.lacking() if state == KeyState.GOOD else []
    if not lacking:
        return []
    return [_("The user has no permission for this, and so neither has the key: %s.") % action_labels(lacking)]
