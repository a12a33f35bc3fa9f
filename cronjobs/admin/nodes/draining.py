"""The button and the page that ask a node to drain, and the button that calls it off."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from cronjobs import permissions
from cronjobs.admin.actors import actor_of
from cronjobs.admin.nodes.cells import running_on
from cronjobs.admin.pages import ReadOnlyAdmin
from cronjobs.admin.rendering import duration
from cronjobs.admin.staff import nobody_else_at_work
from cronjobs.conf import get_settings
from cronjobs.exceptions import NodeNotAlive, NodeNotFound
from cronjobs.journal import changed, record_changes
from cronjobs.models import Node
from cronjobs.models.choices import NodeStatus
from cronjobs.models.draining import Answer, drain, undrain


class DrainingAdmin(ReadOnlyAdmin):
    """What the nodes' admin needs to let people drain one: a permission, two addresses, and a page that asks first."""

    def has_drain_permission(self, request: HttpRequest, obj: Node | None = None) -> bool:
        """Return whether the person may ask nodes to drain, and call that off."""
        return self.has_view_permission(request, obj) and request.user.has_perm(permissions.DRAIN_NODES)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<path:object_id>/drain/", view(self.drain_view), name="cronjobs_node_drain"),
            path("<path:object_id>/undrain/", view(self.undrain_view), name="cronjobs_node_undrain"),
            *super().get_urls(),
        ]

    def drain_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Answer GET with the page that says what follows, POST by asking the node."""
        node = self._permitted(request, object_id)
        if request.method != "POST":
            return self._before_draining(request, node)
        try:
            answer = drain(node.name, by=request.user.get_username())
        except (NodeNotAlive, NodeNotFound):
            return self._refuse(request, node)
        if answer.is_new:
            _record(request, answer)
            self.message_user(request, _promise(node.name), messages.SUCCESS)
        else:
            self._say_already(request, node)
        if warning := _nobody_else(node):
            self.message_user(request, warning, messages.WARNING)
        return self._to(node)

    def undrain_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Answer POST by asking the node to keep working."""
        node = self._permitted(request, object_id)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        try:
            answer = undrain(node.name, by=request.user.get_username())
        except (NodeNotAlive, NodeNotFound):
            return self._refuse(request, node)
        if answer.is_new:
            _record(request, answer)
            self.message_user(request, _("Node %s keeps working.") % node, messages.SUCCESS)
        else:
            self.message_user(request, _("Node %s was not draining.") % node, messages.INFO)
        return self._to(node)

    def _permitted(self, request: HttpRequest, object_id: str) -> Any:
        node = self.get_object(request, unquote(object_id))
        if not self.has_drain_permission(request, node):
            raise PermissionDenied
        if node is None:
            raise Http404
        return node

    def _before_draining(self, request: HttpRequest, node: Any) -> HttpResponse:
        if node.state == NodeStatus.ALIVE:
            return self._drain_page(request, node)
        if node.state == NodeStatus.DRAINING:
            self._say_already(request, node)
            return self._to(node)
        return self._refuse(request, node)

    def _say_already(self, request: HttpRequest, node: Node) -> None:
        self.message_user(request, _("Node %s was draining already.") % node, messages.INFO)

    def _refuse(self, request: HttpRequest, node: Any) -> HttpResponse:
        """Say why the node, as it stands now, cannot be asked for it."""
        found: Any = self.get_queryset(request).filter(pk=node.pk).first()
        state = None if found is None else NodeStatus(found.state)
        self.message_user(request, why_refused(state) % node, messages.ERROR)
        if found is None:
            return HttpResponseRedirect(reverse("admin:cronjobs_node_changelist", current_app=self.admin_site.name))
        return self._to(node)

    def _to(self, node: Any) -> HttpResponse:
        url = reverse("admin:cronjobs_node_change", args=[node.pk], current_app=self.admin_site.name)
        return HttpResponseRedirect(url)

    def _drain_page(self, request: HttpRequest, node: Any) -> HttpResponse:
        grace = get_settings().drain_grace
        context = {
            **self.admin_site.each_context(request),
            "title": _("Drain %s") % node,
            "opts": self.opts,
            "original": node,
            "running": _running_now(len(running_on([node.name])[node.name])),
            "deadline": "" if grace is None else duration(grace),
            "nobody_else": _nobody_else(node),
            "media": self.media,
        }
        return TemplateResponse(request, "admin/cronjobs/node/drain.html", context)


def _promise(name: str) -> str:
    count = len(running_on([name])[name])
    if not count:
        return _("Node %s was asked to drain: it runs nothing, and ends.") % name
    text = ngettext(
        "Node %(name)s was asked to drain: it ends when the %(count)d execution that it runs has ended.",
        "Node %(name)s was asked to drain: it ends when the %(count)d executions that it runs have ended.",
        count,
    )
    return text % {"name": name, "count": count}


def _running_now(count: int) -> str:
    if not count:
        return _("It runs nothing now, so it ends at once.")
    text = ngettext(
        "It runs %d execution now, and ends when that has ended.",
        "It runs %d executions now, and ends when these have ended.",
        count,
    )
    return text % count


def why_refused(state: NodeStatus | None) -> str:
    """Return why a node that is in `state` now (None: gone) could not be asked for anything; it has a place for its name."""
    match state:
        case None:
            return _("Nothing was done: node %s is gone.")
        case NodeStatus.STOPPED:
            return _("Nothing was done: node %s has stopped.")
        case NodeStatus.SILENT:
            return _("Nothing was done: node %s has fallen silent, so nobody is there to be asked.")
        case NodeStatus.ALIVE | NodeStatus.DRAINING:
            # A heartbeat came between the two looks.
            return _("Nothing was done: node %s had fallen silent, but is back. Try again.")


def _nobody_else(node: Node) -> str:
    return nobody_else_at_work(Node.objects.exclude(pk=node.pk).staff())


def _record(request: HttpRequest, answer: Answer) -> None:
    record_changes(actor_of(request), [changed(answer.node, {"drain_requested_at": answer.drained_since})])
