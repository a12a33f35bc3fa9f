"""Tests of notifiers, of sending, and of pings."""

from __future__ import annotations
