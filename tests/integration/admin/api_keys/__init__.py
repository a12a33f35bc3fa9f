"""Tests of keys of the API, as they are made, changed and revoked in the admin."""

from __future__ import annotations
