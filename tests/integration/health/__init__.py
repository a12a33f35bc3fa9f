"""Tests of the probes."""

from __future__ import annotations
