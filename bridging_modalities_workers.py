"""Imported by the server that forks workers: it is killed when the command ends, and its workers with it.

Otherwise a server whose command was killed imports torch to its end, and workers live until they have begun.

This is a module of its own, under a name that no other project uses, because the server must import nothing of
``replicate``: it may find another copy of it than the command.
"""

from __future__ import annotations

import ctypes
import os
import signal

_END_WITH_PARENT = 1  # PR_SET_PDEATHSIG of <sys/prctl.h>; it is not inherited
_libc = ctypes.CDLL(None)


def _end_with_parent() -> None:
    _libc.prctl(_END_WITH_PARENT, signal.SIGKILL)


_end_with_parent()
os.register_at_fork(after_in_child=_end_with_parent)
