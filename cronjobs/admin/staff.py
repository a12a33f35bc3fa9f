"""That nobody takes work, in the words that all pages have for it."""

from __future__ import annotations

from django.utils.translation import gettext as _

from cronjobs.models.node import Staff


def nobody_at_work(staff: Staff) -> str:
    """Return that no node takes work, and what helps; empty if one does."""
    if staff.at_work:
        return ""
    if staff.draining:
        return _(
            "Every node that is alive is draining: nothing new is decided or started until another “manage.py runcron” is."
        )
    return _("No node is alive: nothing runs until “manage.py runcron” is started.")


def nobody_else_at_work(others: Staff) -> str:
    """Return what becomes of due times without one node, if none of the others takes work; empty if one does."""
    if others.at_work:
        return ""
    if others.draining:
        return _("Every other node is draining: due times will be decided when another one is started.")
    return _("No other node is alive: due times will be decided when one is.")
