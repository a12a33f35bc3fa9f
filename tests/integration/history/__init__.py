"""Tests of what is kept of the history when it has been counted."""

from __future__ import annotations
