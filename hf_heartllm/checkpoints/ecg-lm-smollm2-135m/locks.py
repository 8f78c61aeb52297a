"""Locks for what several threads may not do at once."""

from __future__ import annotations

import os
import threading


def process_lock() -> threading.RLock:
    """A lock that the thread which holds it may take again.

    A fork waits for it, so that the child finds what it guards whole, and the lock free. For one a module: it is kept
    as long as the process lives.
    """
    lock = threading.RLock()
    if hasattr(os, "register_at_fork"):  # else there is no fork
        os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)
    return lock


LOADING = process_lock()
"""Held while a model is made: transformers changes the whole process meanwhile (the default dtype, how weights are
initialised, whether they are tied), and two at once leave it changed for ever."""
