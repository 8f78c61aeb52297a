"""Locks for what several threads may not do at once."""

from __future__ import annotations

import os
import threading


class ProcessLock:
    """A lock for `with`, which the thread that holds it may take again, and which a forked child finds free.

    For one a module: each is kept as long as the process lives.
    """

    def __init__(self) -> None:
        self._renew()
        if hasattr(os, "register_at_fork"):  # else there is no fork
            os.register_at_fork(after_in_child=self._renew)

    def _renew(self) -> None:
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


LOADING = ProcessLock()
"""Held while a model is made: transformers changes the whole process meanwhile (the default dtype, how weights are
initialised, whether they are tied), and two at once leave it changed for ever."""
