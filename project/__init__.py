"""A Django project that uses the app: the demo, and an example of a deployment."""

from __future__ import annotations
