"""Leads and stretches of a recording that hold no signal: constant, saturated, noise alone. numpy only."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from .ecg_findings import Finding, named, shared
from .ecg_leads import LIMB_LEADS, STANDARD_LEADS
from .ecg_record import ECGRecord
from .ecg_rough_beats import RoughBeats, rough_beats
from .ecg_stretches import (
    MAX_CLIPPED,
    MAX_FLAT,
    clipped_shares,
    constant_leads,
    flat_shares,
    run_shares,
    runs,
    unchanging,
)

CHEST_LEADS = STANDARD_LEADS[6:]
MIN_PADDING = 0.3  # s at an end; a heart's leads never all stand still for that long
MIN_GAP, LONG_GAP = 1.0, 3.0  # s within the recording
FEW_GAPS = 2  # a drawn ECG without noise stands still between all its beats; then only long gaps are named
STEP, MAX_STILL = 0.1, 0.85  # s, and share of the recording: what stands still for so long moves in steps
MOSTLY = 0.5  # share of a lead or of a recording from which nothing is left to read
NO_SIGNAL = 0.03  # mV between 0.5 and 40 Hz; of 235,000 leads the smallest had 0.09
OF_THE_OTHERS = 0.1  # a lead without signal has at most this share of the middle lead's range
MIN_OUTSTANDING, MIN_LIKENESS = 1.3, 0.5  # of a lead's beats; a lead with neither is noise
MIN_LIKENESS_OF_LIMBS, NOISE_OF_LIMBS = 0.4, 0.05  # mV; across the axis of the heart a lead has little but noise
NOISE = 0.1  # mV, range; a lead with less has neither signal nor noise to speak of
OTHERS = 2.5  # how far the beats must stand out in the middle lead


@dataclass(frozen=True, eq=False)
class Seen:
    """What the checks look at, computed once: the complete leads that are not constant, and their beats.

    Attributes:
        leads: their names.
        signal: float32 (leads, samples).
        rate: Hz.
        millivolts: whether the recording is in mV.
        dead: leads that are constant or without any sample.
        beats: None for a stretch too short to tell.
    """

    leads: tuple[str, ...]
    signal: np.ndarray
    rate: float
    millivolts: bool
    dead: tuple[str, ...]
    beats: RoughBeats | None

    @classmethod
    def of(cls, record: ECGRecord) -> Seen:
        """Look at a recording."""
        finite = np.isfinite(record.signal)
        complete = finite.all(axis=1)
        constant = ~finite.any(axis=1)
        constant[complete] = constant_leads(record.signal[complete])
        live = complete & ~constant
        signal, rate = record.signal[live], record.sampling_rate
        leads = tuple(name for name, keep in zip(record.leads, live) if keep)
        dead = tuple(name for name, gone in zip(record.leads, constant) if gone)
        return cls(leads, signal, rate, record.units == "mV", dead, rough_beats(signal, rate) if leads else None)

    @cached_property
    def still(self) -> np.ndarray:
        """Where a lead does not change: bool (leads, samples - 1)."""
        return unchanging(self.signal)

    @cached_property
    def all_still(self) -> np.ndarray:
        """Where no lead changes: bool (samples - 1,)."""
        return np.asarray(self.still.all(axis=0))

    @cached_property
    def flat(self) -> dict[str, float]:
        """Share of each lead that is flat while other leads are not."""
        shares = flat_shares(self.still, self.rate)
        if shares.any():
            shares = np.maximum(shares - flat_shares(self.all_still[None], self.rate), 0.0)
        return dict(zip(self.leads, shares.tolist()))

    @cached_property
    def clipped(self) -> dict[str, float]:
        """Share of each lead at its highest or lowest value."""
        return dict(zip(self.leads, clipped_shares(self.signal, self.rate).tolist()))

    @cached_property
    def ranges(self) -> dict[str, float]:
        """Range of each lead between 0.5 and 40 Hz without its outermost hundredth; empty without beats."""
        if self.beats is None:
            return {}
        ordered = np.sort(self.beats.waves, axis=1)
        few = ordered.shape[1] // 200
        return dict(zip(self.leads, (ordered[:, -1 - few] - ordered[:, few]).tolist()))

    @property
    def middle_range(self) -> float:
        """Of the middle lead; 0 without beats."""
        return float(np.median(list(self.ranges.values()))) if self.ranges else 0.0


def without_padding(record: ECGRecord, seen: Seen) -> tuple[ECGRecord, float, list[Finding]]:
    """The recording less constant stretches at its ends, the seconds cut off its start, and what is said of it."""
    samples, least = record.signal.shape[1], max(3, round(MIN_PADDING * seen.rate))
    moves = np.flatnonzero(~seen.all_still)
    first, last = (int(moves[0]) + 1, int(moves[-1]) + 1) if len(moves) else (0, samples)
    within = [b - a for a, b in runs(seen.all_still[first:last], least) if b - a < LONG_GAP * seen.rate]
    if len(within) > FEW_GAPS:  # drawn without noise: an end is no padding for standing still as long as between beats
        least = max(within) + 1
    first, last = first if first >= least else 0, last if samples - last >= least else samples
    if (first == 0 and last == samples) or last - first < least or moves_in_steps(seen, first, last):
        return record, 0.0, []
    before, after = first / seen.rate, (samples - last) / seen.rate
    ends = [f"the first {before:.2g} s"] if first else []
    ends += [f"the last {after:.2g} s"] if last < samples else []
    message = f"{' and '.join(ends)} of {record.duration:.4g} s are constant in every lead (padding) and are cut off"
    return replace(record, signal=record.signal[:, first:last]), before, [Finding("constant_stretch", message)]


def moves_in_steps(seen: Seen, first: int = 0, last: int | None = None) -> bool:
    """Whether the signal between two samples stands still nearly all the time, which no heart does."""
    still = seen.all_still[first : None if last is None else last - 1]
    return bool(len(still) and run_shares(still[None], max(2, round(STEP * seen.rate)))[0] > MAX_STILL)


def gaps(seen: Seen) -> list[Finding]:
    """Stretches within the recording in which every lead is constant."""
    found = runs(seen.all_still, max(2, round(MIN_GAP * seen.rate)))
    if len(found) > FEW_GAPS:
        found = [(first, last) for first, last in found if last - first >= LONG_GAP * seen.rate]
    if not found:
        return []
    lost = sum(last - first for first, last in found) / len(seen.all_still)
    where = ", ".join(f"{first / seen.rate:.4g} to {(last + 1) / seen.rate:.4g} s" for first, last in found[:3])
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    message = f"every lead is constant from {where}{more}, so no signal: cut the recording there"
    return [Finding("constant_stretch", message, certainty="likely", fatal=lost > MOSTLY)]


def lost_leads(seen: Seen, holds_beats: bool) -> list[Finding]:
    """Leads from which nothing can be read; they count as missing.

    Args:
        seen: the recording.
        holds_beats: whether beats were found; without them a lead of noise is none among others.
    """
    if seen.dead:
        message = f"{named(seen.dead)} constant or empty, so no signal, and {_count(seen.dead)} as missing"
        return [Finding("flat_lead", message, seen.dead)]
    found = []
    if flat := {name: share for name, share in seen.flat.items() if share > MOSTLY}:
        leads = tuple(flat)
        message = f"{named(leads)} flat for {shared(flat)} of the recording, and {_count(leads)} as missing"
        found.append(Finding("flat_lead", message, leads))
    if weak := _weak_leads(seen, flat):
        message = f"{named(weak)} below {NO_SIGNAL:g} mV, so no signal, and {_count(weak)} as missing"
        found.append(Finding("flat_lead", message, weak))
    clipped = {name: share for name, share in seen.clipped.items() if share > MOSTLY and name not in {*flat, *weak}}
    if clipped:
        leads = tuple(clipped)
        message = f"{named(leads)} at the highest or lowest value for {shared(clipped)}, and {_count(leads)} as missing"
        found.append(Finding("saturated_lead", message, leads))
    noise = noise_leads(seen, set(CHEST_LEADS) - {*flat, *weak, *clipped}) if holds_beats else ()
    if noise:
        message = f"{named(noise)} noise, without the beats of the other leads, and {_count(noise)} as missing"
        found.append(Finding("noise_lead", message, noise, "likely"))
    return found


def _count(leads: tuple[str, ...]) -> str:
    return "count" if len(leads) > 1 else "counts"


def _weak_leads(seen: Seen, but: Collection[str]) -> tuple[str, ...]:
    if not seen.millivolts:
        return ()
    most = min(NO_SIGNAL, OF_THE_OTHERS * seen.middle_range)
    return tuple(name for name, size in seen.ranges.items() if size < most and name not in but)


def noise_leads(seen: Seen, of: Collection[str]) -> tuple[str, ...]:
    """Which of these leads hold noise alone, where the other leads hold beats; in mV only."""
    beats = seen.beats
    if beats is None or not seen.millivolts or beats.dominant.sum() < 4 or len(seen.leads) < 3:
        return ()
    outstanding, likeness, noise = beats.evidence()
    if np.median(outstanding) < OTHERS:
        return ()
    found = []
    for place, name in enumerate(seen.leads):
        limb = name in LIMB_LEADS
        enough = noise[place] > NOISE_OF_LIMBS if limb else seen.ranges[name] > NOISE
        least = MIN_LIKENESS_OF_LIMBS if limb else MIN_LIKENESS
        if name in of and enough and outstanding[place] < MIN_OUTSTANDING and likeness[place] < least:
            found.append(name)
    return tuple(found)


def doubtful_leads(seen: Seen) -> list[Finding]:
    """Leads of which a part is lost; they are read as they are."""
    found = []
    if flat := {name: share for name, share in seen.flat.items() if share > MAX_FLAT}:
        message = f"{named(tuple(flat))} flat for {shared(flat)} of the recording: do not rely on it there"
        found.append(Finding("flat_lead", message, tuple(flat)))
    if clipped := {name: share for name, share in seen.clipped.items() if share > MAX_CLIPPED and name not in flat}:
        message = f"{named(tuple(clipped))} clipped: at the highest or lowest value for {shared(clipped)}"
        found.append(Finding("saturated_lead", message, tuple(clipped)))
    return found
