"""Whether MongoDB answers and has the indexes that the jobs need. It may also be absent."""

from __future__ import annotations

from datetime import timedelta

from cronjobs.conf import get_settings
from cronjobs.health._probes import Probe, fail, fine, milliseconds, nothing_there, probe, warn
from cronjobs.language import gettext as _


def mongodb_configured() -> bool:
    """Return whether the settings name a MongoDB; asked without importing its drivers, which are optional."""
    return bool(get_settings().mongodb_uri)


@probe("mongodb")
def check_mongodb() -> Probe:
    """Ping MongoDB and look for indexes; where none is configured, that is healthy."""
    if not mongodb_configured():
        return nothing_there(_("MongoDB is not configured; the jobs that need it have no rows."))
    try:
        from cronjobs import documents
    except ImportError as error:
        return fail(str(error))
    try:
        return _look()
    except documents.MongoError as error:
        hosts = documents.describe_hosts(get_settings().mongodb_uri)
        facts = {"hosts": hosts, "reason": documents.connection.reason_of(error)}
        return fail(_("MongoDB at %(hosts)s cannot be used: %(reason)s") % facts)


def _look() -> Probe:
    from cronjobs import documents

    elapsed = milliseconds(documents.ping() / timedelta(seconds=1))
    missing = documents.missing_indexes()
    facts = {
        "pingMs": elapsed,
        "missingIndexes": [{"collection": each.collection, "command": each.command} for each in missing],
    }
    if missing:
        return warn(*(f"{each}." for each in missing), **facts)
    text = _("MongoDB answers in %(milliseconds)s ms and has the indexes it needs.")
    return fine(text % {"milliseconds": f"{elapsed:g}"}, **facts)
