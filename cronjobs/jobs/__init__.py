"""The jobs that this app brings with it. Every module here is imported when jobs are discovered."""

from __future__ import annotations
