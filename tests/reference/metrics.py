"""Every metric that a Prometheus server reads: its name, kind and labels, and what it says of itself."""

from __future__ import annotations

from cronjobs.metrics import families
from tests.reference import code, table


def metrics() -> str:
    """Return the table of metrics; asks the database, and the settings for a Celery app, without which some are not there."""
    rows = [
        (
            f"`cronjobs_{each.name}{'_total' * (each.kind == 'counter')}`",
            each.kind,
            code(each.label_names),
            each.meaning,
        )
        for each in families()
    ]
    return table(("metric", "kind", "labels", ""), rows)
