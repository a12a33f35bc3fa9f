"""What observers may listen to. Receivers are called with ``send_robust`` and change no outcome."""

from __future__ import annotations

from django.dispatch import Signal

# An attempt is about to call the job's function. Arguments: execution.
execution_started = Signal()
# An execution reached a final state, and the database has it. Arguments: execution.
execution_finished = Signal()
# An attempt failed and the execution waits for the next one. Arguments: execution.
execution_retried = Signal()
# A worker vanished in the middle of an attempt. Arguments: execution.
execution_lost = Signal()
