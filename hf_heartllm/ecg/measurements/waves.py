"""P and T of every beat from the network's frames, put together over leads and beats.

A wave is there where the leads together (mean probability) say so. Where it begins and ends each lead says for itself:
the median over the beats, then a quantile over the leads.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .wave_network import FRAME, PATCH, RATE, WaveFrames

P, T = 1, 3  # classes
P_ONSET, P_OFFSET, T_OFFSET = 0, 1, 5  # distances
HALF = 0.5  # probability from which a frame belongs to a wave
MIN_P, MIN_T = 0.03, 0.04  # s; shorter stretches are no wave
MAX_PR = 0.45  # s
AFTER_QRS = 0.06  # s; nothing before that is P or the end of T
T_BEGINS = 0.35  # s after QRS by which T has begun
SAME_PLACE = 0.06  # s around the usual place of P in which a beat's P wave counts
MIN_LEADS = 3  # that must show a wave for its edges to be told, or all there are
MIN_BEATS = 0.5  # share of the dominant beats
MAX_SCATTER_PR, MAX_SCATTER_QT = 0.045, 0.06  # s, interquartile range over beats above which an interval is doubtful
P_QUANTILE = 0.6  # over leads: P begins a little earlier where it is well seen
# Constants that bring the network's edges to cardiologists' marks (ms): P begins later, T ends earlier than it says.
P_ONSET_BIAS, T_OFFSET_BIAS = 0.004, 0.006


@dataclass(frozen=True)
class WaveTimes:
    """P and T relative to the onset of QRS, in seconds; None with the reason in the field beside.

    Attributes:
        p_share: share of the beats with a P wave; None if no beat has room for one in the recording.
        p_onset: negative, before QRS.
        p_offset: negative.
        p_reason: why the P wave's edges are None.
        t_offset: QT.
        t_reason: why it is None.
    """

    p_share: float | None = None
    p_onset: float | None = None
    p_offset: float | None = None
    p_reason: str | None = None
    t_offset: float | None = None
    t_reason: str | None = None


def wave_times(
    frames: WaveFrames, onsets: np.ndarray, offsets: np.ndarray, dominant: np.ndarray, duration: float
) -> WaveTimes:
    """Find P and T.

    Args:
        frames: the network's output for the leads.
        onsets: float64 (beats,), seconds, onsets of the QRS complexes.
        offsets: float64 (beats,), their ends.
        dominant: bool (beats,), beats whose intervals count.
        duration: of the recording in seconds.
    """
    p_share, p_onset, p_offset, p_reason = _p_wave(frames, onsets, offsets, dominant)
    t_offset, t_reason = _t_wave(frames, onsets, offsets, dominant, duration)
    return WaveTimes(p_share, p_onset, p_offset, p_reason, t_offset, t_reason)


def _p_wave(
    frames: WaveFrames, onsets: np.ndarray, offsets: np.ndarray, dominant: np.ndarray
) -> tuple[float | None, float | None, float | None, str | None]:
    roomy = onsets > 0.3  # a P wave before these beats would lie within the recording
    if not (roomy & dominant).any():
        return None, None, None, "no beat has room for a P wave before it"
    together = _p_of_each_beat(frames.times, frames.probability[:, :, P].mean(axis=0), onsets, offsets)
    there = np.isfinite(together[:, 0])
    share = float(there[roomy].mean())
    if there[dominant & roomy].mean() < MIN_BEATS:
        return share, None, None, "no P wave before at least half of the beats"
    leads = len(frames.probability)
    on, off, scatter = np.full(leads, np.nan), np.full(leads, np.nan), np.full(leads, np.nan)
    counted = dominant & roomy
    for lead in range(leads):
        edges = _p_of_each_beat(frames.times, frames.probability[lead, :, P], onsets, offsets)
        found = np.flatnonzero(counted & np.isfinite(edges[:, 0]))
        if len(found) < MIN_BEATS * counted.sum():
            continue
        starts = _refined(frames, lead, edges[found, 0], P_ONSET) - onsets[found]
        ends = _refined(frames, lead, edges[found, 1], P_OFFSET) - onsets[found]
        on[lead], off[lead] = np.median(starts), np.median(ends)
        scatter[lead] = np.subtract(*np.percentile(starts, [75, 25]))
    if np.isfinite(on).sum() < min(MIN_LEADS, leads):
        return share, None, None, f"the P wave shows in fewer than {min(MIN_LEADS, leads)} leads"
    if np.nanmedian(scatter) > MAX_SCATTER_PR:
        return share, None, None, "the P waves keep no constant distance from the QRS complexes"
    onset = float(np.nanquantile(on, 1 - P_QUANTILE)) + P_ONSET_BIAS
    return share, onset, min(float(np.nanquantile(off, P_QUANTILE)), 0.0), None


def _t_wave(
    frames: WaveFrames, onsets: np.ndarray, offsets: np.ndarray, dominant: np.ndarray, duration: float
) -> tuple[float | None, str | None]:
    intervals = np.diff(onsets)
    usual = float(np.median(intervals)) if len(intervals) else 0.7
    until = np.append(onsets[1:], onsets[-1] + min(0.7, usual)) + 0.02
    usable = np.flatnonzero(dominant & (until < duration))
    if not len(usable):
        return None, "no beat has room for a T wave after it"
    ends, scatter = [], []
    for lead in range(len(frames.probability)):
        stretches = _stretches(frames.times, frames.probability[lead, :, T])
        found = []
        for beat in usable:
            for start, stop in stretches:
                fits = offsets[beat] + AFTER_QRS < stop < until[beat] and stop - start > MIN_T
                if fits and start < offsets[beat] + T_BEGINS:
                    found.append((stop, onsets[beat]))
                    break
        if len(found) >= max(1, MIN_BEATS * len(usable)):
            stops, begins = np.array(found).T
            qt = _refined(frames, lead, stops, T_OFFSET) + 1 / RATE - begins
            ends.append(np.median(qt))
            scatter.append(np.subtract(*np.percentile(qt, [75, 25])))
    least = min(MIN_LEADS, len(frames.probability))
    if len(ends) < least:
        return None, f"the T wave shows in fewer than {least} leads"
    if np.median(scatter) > MAX_SCATTER_QT:
        return None, "the end of T varies too much from beat to beat"
    return float(np.median(ends)) - T_OFFSET_BIAS, None


def _p_of_each_beat(times: np.ndarray, probability: np.ndarray, onsets: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """float64 (beats, 2): start and stop of the last P stretch between the previous QRS and this one; NaN without."""
    stretches = _stretches(times, probability)
    out = np.full((len(onsets), 2), np.nan)
    for beat, onset in enumerate(onsets):
        earliest = max(onset - MAX_PR, offsets[beat - 1] + AFTER_QRS if beat else 0.0)
        for start, stop in stretches:
            if start > earliest and stop < onset + 0.03 and stop - start >= MIN_P:
                out[beat] = start, stop
    return out


def _stretches(times: np.ndarray, probability: np.ndarray) -> list[tuple[float, float]]:
    """Where the probability is above one half: start and stop in seconds, interpolated between frames."""
    inside = np.concatenate([[False], probability > HALF, [False]])
    change = np.flatnonzero(np.diff(inside.astype(np.int8)))
    out = []
    for first, last in zip(change[::2], change[1::2] - 1):
        start, stop = times[first], times[last]
        if first > 0:
            start -= FRAME * (probability[first] - HALF) / max(probability[first] - probability[first - 1], 1e-6)
        if last + 1 < len(probability):
            stop += FRAME * (probability[last] - HALF) / max(probability[last] - probability[last + 1], 1e-6)
        out.append((float(start), float(stop)))
    return out


def _refined(frames: WaveFrames, lead: int, edges: np.ndarray, which: int) -> np.ndarray:
    """Edges in seconds, each the median of what the five frames around it say of their distance to it."""
    middles = np.round((edges - frames.times[0]) / FRAME).astype(int)
    near = np.clip(middles[:, None] + np.arange(-2, 3), 0, len(frames.times) - 1)
    starts = frames.times[near] - (PATCH - 1) / 2 / RATE
    refined: np.ndarray = np.median(starts + frames.distance[lead, near, which], axis=1)
    return refined
