"""Threads on which torch computes on one core each.

How many cores torch uses is a setting of each thread, but `torch.set_num_threads` also changes what later threads begin
with. Set and restored around every call, it would leave threads that begin meanwhile on one core for ever. So there are
threads for it, made at the first call, and no later call changes anything.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

from .locks import process_lock

MOST_THREADS = 32

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_lock = process_lock()
_threads: ThreadPoolExecutor | None = None


def on_one_core(function: Callable[[_Item], _Result], items: Iterable[_Item]) -> list[_Result]:
    """What a function makes of each item, each on a thread that computes on one core.

    Sums are then formed in one order whatever the machine, and a process that is forked afterwards does not wait for
    threads of torch that it has not got. Settings of the calling thread (gradients, autocast) are not those of the
    threads.

    Raises:
        Whatever the function raises.
    """
    global _threads
    with _lock:
        if _threads is None:
            _threads = _made(min(os.cpu_count() or 1, MOST_THREADS))
    return list(_threads.map(function, items))


def _made(count: int) -> ThreadPoolExecutor:
    threads = ThreadPoolExecutor(count, thread_name_prefix="one-core")
    usual = threads.submit(torch.get_num_threads).result()  # what a new thread begins with
    settled = threading.Barrier(count + 1)

    def settle() -> None:
        torch.get_num_threads()  # when first asked, a thread takes over the usual number: now, not after the next line
        torch.set_num_threads(1)
        settled.wait()  # holds this thread, so that the next call gets another

    for _ in range(count):
        threads.submit(settle)
    settled.wait()
    restore = threading.Thread(target=torch.set_num_threads, args=(usual,))  # it changes the thread it is called in
    restore.start()
    restore.join()
    return threads


def _forget() -> None:
    """In a forked child, which has none of the threads."""
    global _threads
    _threads = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
