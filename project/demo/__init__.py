"""`script/demo`: everything that a look at the app needs, started together and stopped together."""

from __future__ import annotations
