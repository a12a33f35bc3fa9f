"""Where attempts run: in a thread of the node, or in the calling process."""

from __future__ import annotations
