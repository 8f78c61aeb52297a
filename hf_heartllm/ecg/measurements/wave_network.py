"""openecg's bundled delineation network (Apache-2.0): P, QRS and T in frames of 20 ms, and how far their edges are.

The network reads ten seconds of one raw lead at 250 Hz. A beat tiled into a rhythm makes it see P waves where there
are none, so it is given recordings as they are.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from ...models.locks import process_lock

_LOCK = process_lock()  # one interpreter is made, and serves one caller at a time
RATE = 250.0  # Hz
WINDOW = 2500  # samples
PATCH = 5  # samples a frame
FRAMES = WINDOW // PATCH
FRAME = PATCH / RATE  # s
OVERLAP = 50  # frames that neighbouring windows of a longer recording share at least
HOW_TO_INSTALL = "P and T waves need the extra: pip install 'hf_heartllm[measure]'"


@dataclass(frozen=True, eq=False)
class WaveFrames:
    """What the network says of a recording, frame f lying around `times[f]`.

    Attributes:
        times: float64 (frames,), seconds, the centres of the frames.
        probability: float64 (leads, frames, 4): none, P, QRS, T.
        distance: float64 (leads, frames, 6): seconds from the start of the frame to the nearest onset of P, end of P,
            onset of QRS, end of QRS, onset of T, end of T; meaningful near that edge only.
    """

    times: np.ndarray
    probability: np.ndarray
    distance: np.ndarray


@contextlib.contextmanager
def without_information() -> Iterator[None]:
    """Keep lines that begin with `INFO:` off the process's stderr; others are written there when it is over.

    The runtime's library says there by which means it computes, past Python, and has no switch against it.
    """
    with contextlib.ExitStack() as stack:
        try:
            usual = os.dup(2)
        except OSError:  # a process without stderr
            yield
            return
        stack.callback(os.close, usual)
        held = stack.enter_context(tempfile.TemporaryFile())
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(usual, 2)
            held.seek(0)
            for line in held:
                if not line.startswith(b"INFO:"):
                    os.write(2, line)


@lru_cache(maxsize=1)
def _network() -> tuple[Any, int, int, int]:
    """The interpreter, and the indices of its input, classes and distances. One thread: results do not depend on it."""
    from ai_edge_litert.interpreter import Interpreter
    from openecg.deploy import bundled_model_path

    with without_information():
        interpreter = Interpreter(model_path=str(bundled_model_path()), num_threads=1)
        interpreter.allocate_tensors()
    outputs = {int(detail["shape"][-1]): int(detail["index"]) for detail in interpreter.get_output_details()}
    return interpreter, int(interpreter.get_input_details()[0]["index"]), outputs[4], outputs[6]


def network_available() -> bool:
    """Whether the extra `measure` is installed."""
    try:
        with _LOCK:
            _network()
    except ImportError:
        return False
    return True


def wave_frames(signal: np.ndarray) -> WaveFrames:
    """Run the network over leads.

    Args:
        signal: float (leads, samples) at 250 Hz, any unit, without missing samples.

    Returns:
        Frames over the whole recording. Recordings longer than ten seconds are read in overlapping windows, each
        frame taken from the window in which it lies most central.

    Raises:
        ImportError: without openecg.
    """
    samples = signal.shape[1]
    frames = -(-samples // PATCH)
    starts = _starts(frames)
    out = np.empty((len(signal), frames, 10))
    # The network knows ten seconds of beats only: a shorter recording is repeated, not followed by silence.
    mode: Literal["wrap", "edge"] = "wrap" if samples < WINDOW - PATCH else "edge"
    padded = np.pad(signal, ((0, 0), (0, max(0, starts[-1] * PATCH + WINDOW - samples))), mode=mode)
    middles = [(a + b + FRAMES) // 2 for a, b in pairwise(starts)]
    for start, first, last in zip(starts, [0, *middles], [*middles, frames]):
        for row, lead in enumerate(padded[:, start * PATCH : start * PATCH + WINDOW]):
            out[row, first:last] = _window(lead)[first - start : last - start]
    scores = np.exp(out[:, :, :4] - out[:, :, :4].max(axis=2, keepdims=True))
    centres = np.arange(frames) * FRAME + (PATCH - 1) / 2 / RATE
    return WaveFrames(centres, scores / scores.sum(axis=2, keepdims=True), out[:, :, 4:] / RATE)


def _starts(frames: int) -> list[int]:
    """First frames of the windows."""
    if frames <= FRAMES:
        return [0]
    count = 1 + -(-(frames - FRAMES) // (FRAMES - OVERLAP))
    return [round(start) for start in np.linspace(0, frames - FRAMES, count)]


def _window(lead: np.ndarray) -> np.ndarray:
    """(500, 10): class scores, then distances in samples."""
    from openecg.deploy import preprocess_window

    with _LOCK:
        interpreter, reads, classes, distances = _network()
        interpreter.set_tensor(reads, np.asarray(preprocess_window(lead.astype(np.float32)), np.float32)[None])
        interpreter.invoke()
        return np.concatenate([interpreter.get_tensor(classes)[0], interpreter.get_tensor(distances)[0]], axis=1)
