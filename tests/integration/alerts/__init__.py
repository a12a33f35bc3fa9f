"""Alerts: what is put down, decided and written, on a real database."""

from __future__ import annotations
