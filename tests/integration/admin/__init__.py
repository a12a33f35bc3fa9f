"""Tests of the admin's pages, as a browser gets them."""

from __future__ import annotations
