"""Attempts in processes of their own, which can be limited, and killed with all that they started.

Four kinds of process take part. The *node* asks its *fork server*, a process with one thread
and Django set up, for a child: so no process with threads is ever forked. The child is a
*guardian*; it forks the *worker*, which calls the job's function, watches it from outside,
ends it when a limit is reached or the node is gone, and reports what it took.
"""

from __future__ import annotations

from cronjobs.executors.process.attempts import Stop, attempt_in_process, belongs_in_process
from cronjobs.executors.process.forkserver import ForkServer, may_be_needed

__all__ = ["ForkServer", "Stop", "attempt_in_process", "belongs_in_process", "may_be_needed"]
