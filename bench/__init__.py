"""Programs that measure, and print figures; as a Django app it brings the job that they run."""

from __future__ import annotations
