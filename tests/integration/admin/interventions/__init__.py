"""Tests of cancelling and running again in the admin: who may, what happens, and what is said about it."""

from __future__ import annotations
