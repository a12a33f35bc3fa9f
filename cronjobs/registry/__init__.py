"""Which functions are jobs: the ``@job`` decorator, what it declares, and where declarations are kept."""

from __future__ import annotations

from cronjobs.registry._collection import Problem, Registry, registry
from cronjobs.registry._declaring import job
from cronjobs.registry._definitions import JobDefinition
from cronjobs.registry._names import NAME_MAX_LENGTH, is_valid_name, is_valid_queue, parse_priority

__all__ = [
    "NAME_MAX_LENGTH",
    "JobDefinition",
    "Problem",
    "Registry",
    "is_valid_name",
    "is_valid_queue",
    "job",
    "parse_priority",
    "registry",
]
