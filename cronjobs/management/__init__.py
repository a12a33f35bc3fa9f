"""The commands, and what they share.

Every command ends with one of these codes, and its help says what they mean for it:

0    it did what was asked for, or showed it
1    it failed, or what it looked at is not as it should be: a sentence on standard error says why
2    it was used wrongly, and nothing was done
130  it was interrupted (Ctrl-C)
141  whoever read its output has gone, as in ``cronstatus | head``

Results go to standard output, everything else to standard error; with ``--json`` standard output is one JSON document.
"""

from __future__ import annotations
