"""Says what to install where MongoDB's drivers are missing; imported before whatever needs them."""

from __future__ import annotations

from importlib.util import find_spec

if find_spec("mongoengine") is None:
    raise ImportError("MongoDB needs mongoengine and pymongo, which are not installed: pip install mongoengine")
