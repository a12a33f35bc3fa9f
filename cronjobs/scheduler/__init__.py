"""The clock and the node: the only package that knows APScheduler."""

from __future__ import annotations
