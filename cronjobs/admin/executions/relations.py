"""How an execution hangs together with others and with people: what it waits for, who wants it to stop, what repeats it."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from cronjobs.models import JobExecution
from cronjobs.models.choices import WaitsFor
from cronjobs.states import ExecutionStatus

_MOST_LINKS = 20


def waits_for(execution: JobExecution) -> str:
    """Return what an execution that Celery is to perform waits for; empty of any other, and of one that does not wait."""
    is_celery_s = execution.status == ExecutionStatus.QUEUED and execution.waits_for != WaitsFor.NODE
    return execution.get_waits_for_display() if is_celery_s else ""


def stop_request(execution: JobExecution) -> str:
    """Return who has asked the execution to stop, and why; empty if nobody has."""
    facts = {"user": execution.cancel_requested_by, "reason": execution.cancel_reason}
    if execution.cancel_requested_at is None:
        return ""
    if facts["user"] and facts["reason"]:
        return _("By %(user)s, because: %(reason)s") % facts
    if facts["user"]:
        return _("By %(user)s") % facts
    return _("Because: %(reason)s") % facts if facts["reason"] else ""


def relations(execution: JobExecution) -> Iterator[tuple[str, SafeString]]:
    """Yield labels and links: to the execution that this one repeats, and to those that repeat it."""
    if execution.retry_of_id is not None:
        is_there = JobExecution.objects.filter(pk=execution.retry_of_id).exists()
        gone = format_html("#{} ({})", execution.retry_of_id, _("no longer there"))
        yield _("Is a rerun of"), _link(execution.retry_of_id) if is_there else gone
    # By the flow, which has an index, and which all repetitions share.
    repeats = JobExecution.objects.filter(flow=execution.flow or execution.pk, retry_of=execution)
    if ids := list(repeats.order_by("pk").values_list("pk", flat=True)[:_MOST_LINKS]):
        yield _("Run again as"), format_html_join(", ", "{}", ((_link(pk),) for pk in ids))


def node_link(execution: JobExecution) -> str:
    """Return the node's name, which leads to what else it ran; empty if nobody has run the execution."""
    if not execution.node:
        return ""
    url = f"{reverse('admin:cronjobs_jobexecution_changelist')}?{urlencode({'node': execution.node})}"
    return format_html('<a href="{}">{}</a>', url, execution.node)


def _link(pk: int) -> SafeString:
    return format_html('<a href="{}">#{}</a>', reverse("admin:cronjobs_jobexecution_change", args=[pk]), pk)
