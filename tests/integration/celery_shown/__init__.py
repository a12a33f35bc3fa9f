"""What people see of Celery workers, and are warned of."""

from __future__ import annotations
