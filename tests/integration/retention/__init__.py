"""How long the history is kept."""

from __future__ import annotations
