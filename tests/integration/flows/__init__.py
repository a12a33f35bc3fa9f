"""Tests of jobs that run after others."""

from __future__ import annotations
