"""Tests of attempts in processes of their own."""

from __future__ import annotations
