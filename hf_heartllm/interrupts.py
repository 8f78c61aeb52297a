"""Ctrl-C ends a command with one line, whatever it was doing; the standard library only, so that it is there at once.

A `KeyboardInterrupt` in the middle of an import may come out of it as another error, or not at all: libraries catch
what they do not expect while they load. Nothing is half written then, so an interrupt during an import ends the process
on the spot. Anywhere else it is a `KeyboardInterrupt` as ever, and whoever writes a file has the time to remove it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

INTERRUPTED = 130
"""Exit code of a command that Ctrl-C has ended: 128 and the signal's number, as shells count."""

_IMPORTING = "<frozen importlib._bootstrap>"


def one_line_on_interrupt(program: str) -> None:
    """From now on Ctrl-C says `PROGRAM: stopped` and nothing else; a second one ends the process without more ado.

    Does nothing where another thread than the main one asks, or the process ignores the signal (as under `nohup`).

    Args:
        program: what the line begins with.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGINT) not in (signal.default_int_handler, signal.SIG_DFL):
        return
    heard = False

    def interrupted(_: int, frame: FrameType | None) -> None:
        nonlocal heard
        if heard or _importing(frame):
            say_stopped(program)
            os._exit(INTERRUPTED)
        heard = True
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupted)
    usual = sys.excepthook

    def one_line(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            say_stopped(program)
        else:
            usual(kind, error, trace)

    sys.excepthook = one_line


@contextmanager
def each_interrupt_raises(program: str) -> Iterator[None]:
    """Within, every Ctrl-C is a `KeyboardInterrupt`, not the first alone: for a session that goes on after one.

    Args:
        program: what the line begins with that ends the process where Ctrl-C comes during an import.
    """
    ours = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT) if ours else None
    if not callable(before) or before is signal.default_int_handler:  # nothing is set, or it does so already
        yield
        return

    def interrupted(_: int, frame: FrameType | None) -> None:
        if _importing(frame):
            say_stopped(program)
            os._exit(INTERRUPTED)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def nothing_to_stop() -> None:
    """The work is done and the process ends: from now on Ctrl-C does nothing."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def say_stopped(program: str) -> None:
    """The one line, on stderr; nothing where nobody reads it any more."""
    line = f"{program}: stopped\n"
    try:  # past the buffers of Python, which a signal may have caught half way
        os.write(2, line.encode())
    except OSError:
        return


def run_interruptible(main: Callable[[], Any], program: str) -> int:
    """Run a script's `main`; Ctrl-C is one line and the exit code 130.

    Returns:
        What `main` returned, 0 for None.
    """
    one_line_on_interrupt(program)
    try:
        return int(main() or 0)
    except KeyboardInterrupt:
        say_stopped(program)
        return INTERRUPTED


def _importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == _IMPORTING:
            return True
        frame = frame.f_back
    return False
