"""Whether a recording holds heart beats at all, fast enough to ask of every recording. numpy only.

Everything is done at 100 Hz, whatever the recording's rate, from one Fourier transform of each lead. The energy of QRS
complexes is that of `hf_heartllm.ecg.beats`: squared slopes between 5 and 25 Hz, summed over the leads, averaged over
the width of a QRS complex. A heart's stands far out of what lies between the beats, and its beats look alike; noise of
any colour does neither.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RATE = 100.0  # Hz
INTEGRATION = 13  # samples, about the width of a broad QRS complex
REFRACTORY = 24  # samples, no second beat before that
SHARE = 0.12  # of a typical beat's energy that a beat must reach
EDGE = 15  # samples at either end in which no beat can be aligned
HALF, SHIFT = 10, 5  # samples: half the window that beats are compared on, and how far alignment may move them
SAME = 0.85  # correlation over all leads from which two beats are of one shape
UNLIKE = 0.4  # share of the beats below which they are aligned in another way too
MOST_BEATS = 60  # that are compared with each other, so that a long recording costs no more
BEFORE, AFTER = 30, 45  # samples of the typical beat around its reference point
ONE_SOURCE = 0.005  # share of the energy outside of the largest component
MIN_SECONDS = 1.0  # less is not judged


@dataclass(frozen=True, eq=False)
class RoughBeats:
    """The beats of a recording and how certain they are.

    Attributes:
        waves: float32 (leads, samples) at 100 Hz, from 0.5 to 40 Hz.
        quick: the same from 5 to 25 Hz, where QRS complexes have most of their energy.
        positions: int64 (beats,), samples of the beats' reference points; at most `MOST_BEATS` of a long recording.
        dominant: bool (beats,), whether a beat has the shape of most.
        contrast: energy of a strong beat against the lower quartile of the energy; noise stays below 7.
        white: share of the energy between 25 and 45 Hz in that between 2 and 45 Hz, median of the leads.
        beat: float32 (leads, BEFORE + AFTER), mean of the dominant beats; empty without beats.
    """

    waves: np.ndarray
    quick: np.ndarray
    positions: np.ndarray
    dominant: np.ndarray
    contrast: float
    white: float
    beat: np.ndarray

    @property
    def alike(self) -> float:
        """Share of the beats that look alike."""
        return float(self.dominant.mean()) if len(self.dominant) else 0.0

    @property
    def step(self) -> float:
        """Change of level across the typical QRS complex as a share of its size: 1 for a step, near 0 for a heart."""
        if not self.beat.size:
            return 0.0
        before = self.beat[:, BEFORE - 12 : BEFORE - 7].mean(axis=1)
        level = self.beat[:, BEFORE + 8 : BEFORE + 13].mean(axis=1) - before
        size = np.ptp(self.beat[:, BEFORE - HALF : BEFORE + HALF + 1], axis=1)
        return float(np.sqrt((level**2).sum() / max(float((size**2).sum()), 1e-20)))

    def evidence(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of each lead, whether it holds the beats: three float64 (leads,).

        Size between 5 and 25 Hz within 80 ms of the beats against that beyond 180 ms (1 for noise); how alike the
        dominant beats are in this lead (0 for noise, 1 for equal ones); size beyond the beats, in the record's units.
        """
        samples = self.quick.shape[1]
        distance = np.full(samples, samples)
        for beat in self.positions:
            near = slice(max(0, beat - 18), beat + 19)
            distance[near] = np.minimum(distance[near], np.abs(np.arange(samples)[near] - beat))
        squares = self.quick.astype(np.float64) ** 2
        within = np.sqrt(squares[:, distance <= 8].mean(axis=1))
        away = distance > 18
        beyond = np.sqrt(squares[:, away].mean(axis=1)) if away.any() else np.zeros(len(squares))
        alike = self.positions[self.dominant]
        alike = alike[(alike >= 8) & (alike < samples - 8)]
        pieces = self.quick[:, alike[:, None] + np.arange(-8, 9)]
        of_mean, of_each = (pieces.mean(axis=1) ** 2).sum(axis=1), (pieces**2).sum(axis=(1, 2))
        likeness = (of_mean * len(alike) ** 2 / (of_each + 1e-12) - 1) / max(1, len(alike) - 1)
        return within / (beyond + 1e-9), likeness, beyond

    @property
    def rank_one(self) -> bool:
        """Whether all leads are one signal, larger or smaller; a heart, which moves in space, leaves a hundredth."""
        between = self.quick @ self.quick.T
        return bool(np.linalg.eigvalsh(between)[-1] >= (1 - ONE_SOURCE) * np.trace(between))


def rough_beats(signal: np.ndarray, rate: float) -> RoughBeats | None:
    """Look for beats over all leads together.

    Args:
        signal: float32 (leads, samples), without missing samples.
        rate: Hz.

    Returns:
        What was found; None for less than `MIN_SECONDS`.
    """
    if signal.shape[1] < max(3, MIN_SECONDS * rate):
        return None
    quick, waves, white = _bands(signal, rate)
    seconds = quick.shape[1] / RATE
    # A lead of noise alone has a large median beside its peaks, and so a small weight.
    size = np.abs(quick)
    weight = 1 / np.sqrt(np.median(size, axis=1) * size.max(axis=1) + 1e-12)
    energy = _energy(quick, weight)
    peaks = _peaks(energy)
    strongest = np.sort(energy[peaks])[::-1]
    # One a second is typical; with a slow heart most of these are noise, so a share of the strongest counts too.
    typical = float(np.median(strongest[: max(1, round(seconds))])) if len(peaks) else 0.0
    strong = float(strongest[min(len(peaks), max(1, round(0.3 * seconds))) - 1]) if len(peaks) else 0.0
    contrast = strong / (float(np.quantile(energy[EDGE:-EDGE], 0.25)) + 1e-12)
    beats = peaks[energy[peaks] >= max(SHARE * typical, 0.03 * strong)]
    if len(beats) > MOST_BEATS:
        beats = beats[np.linspace(0, len(beats) - 1, MOST_BEATS).astype(int)]
    if not len(beats) or not strong:
        nothing = np.zeros((len(signal), 0), np.float32)
        return RoughBeats(waves, quick, np.zeros(0, np.int64), np.zeros(0, bool), contrast, white, nothing)
    positions, dominant = _aligned(waves * weight[:, None], beats)
    if dominant.mean() < UNLIKE:  # some leads disturbed in most beats: perhaps not the largest
        positions, dominant = max((positions, dominant), _aligned(waves, beats), key=lambda found: found[1].sum())
    padded = np.pad(waves, ((0, 0), (BEFORE, AFTER)), mode="edge")
    beat = padded[:, positions[dominant][:, None] + np.arange(BEFORE + AFTER)].mean(axis=1)
    return RoughBeats(waves, quick, positions, dominant, contrast, white, beat)


def _bands(signal: np.ndarray, rate: float) -> tuple[np.ndarray, np.ndarray, float]:
    """5 to 25 Hz and 0.5 to 40 Hz, both float32 (leads, samples at 100 Hz), and how white the signal is."""
    samples = signal.shape[1]
    seconds = _smooth_number(int(np.ceil(samples / rate)) + 1)
    long, short = round(rate * seconds), round(RATE * seconds)
    few = max(1, round(0.2 * rate))
    first, last = signal[:, :few].mean(axis=1, keepdims=True), signal[:, -few:].mean(axis=1, keepdims=True)
    padded = np.zeros((len(signal), long), np.float32)
    padded[:, :samples] = signal - (first + (last - first) * np.linspace(0, 1, samples, dtype=np.float32))
    spectrum = np.fft.rfft(padded, axis=1)[:, : short // 2 + 1]
    frequencies = np.arange(spectrum.shape[1]) / seconds
    power = np.abs(spectrum) ** 2
    all_of_it = power[:, (frequencies >= 2) & (frequencies < 45)].sum(axis=1) + 1e-20
    white = float(np.median(power[:, (frequencies >= 25) & (frequencies < 45)].sum(axis=1) / all_of_it))
    kept = round(samples / rate * RATE)

    def between(low: float, low_order: int, high: float, high_order: int) -> np.ndarray:
        rising = 1 / np.sqrt(1 + (low / np.maximum(frequencies, 1e-3)) ** (2 * low_order))
        falling = 1 / np.sqrt(1 + (frequencies / high) ** (2 * high_order))
        gain = (rising * falling * (short / long)).astype(np.float32)
        return np.ascontiguousarray(np.fft.irfft(spectrum * gain, n=short, axis=1)[:, :kept])

    return between(5, 4, 25, 4), between(0.5, 2, 40, 6), white


def _smooth_number(least: int) -> int:
    """The next whole number without a prime factor above 5: Fourier transforms of other lengths are slow."""
    number = least
    while True:
        rest = number
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return number
        number += 1


def _energy(quick: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Squared slopes over all leads, averaged over the width of a QRS complex: float64 (samples,)."""
    squared = weight**2 @ np.gradient(quick, axis=1) ** 2
    total = np.concatenate([[0.0], np.cumsum(squared, dtype=np.float64)])
    places, half = np.arange(len(squared)), INTEGRATION // 2
    sums: np.ndarray = total[np.minimum(places + half + 1, len(squared))] - total[np.maximum(places - half, 0)]
    return sums / INTEGRATION


def _peaks(energy: np.ndarray) -> np.ndarray:
    """Places that are the highest within the refractory time to either side, ascending; not near the ends."""
    padded = np.pad(energy, REFRACTORY, constant_values=-1.0)
    highest = np.lib.stride_tricks.sliding_window_view(padded, 2 * REFRACTORY + 1).max(axis=1)
    peaks = np.flatnonzero((energy == highest) & (energy > 0))
    peaks = peaks[(peaks >= EDGE) & (peaks < len(energy) - EDGE)]
    return peaks[np.diff(peaks, prepend=-REFRACTORY) > 1] if len(peaks) else peaks


def _aligned(waves: np.ndarray, beats: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Beats moved onto the shape that most have, and which of them have it."""
    reach, shifts = HALF + SHIFT, 2 * SHIFT + 1
    wide = waves[:, beats[:, None] + np.arange(-reach, reach + 1)]  # (leads, beats, window)
    views = np.lib.stride_tricks.sliding_window_view(wide, 2 * HALF + 1, axis=2)  # (leads, beats, shifts, window)
    views = views.transpose(1, 2, 0, 3).reshape(len(beats), shifts, -1)
    views = views / (np.sqrt(np.einsum("bsn,bsn->bs", views, views))[:, :, None] + 1e-12)
    as_found = views[:, SHIFT]
    pairs = (views.reshape(-1, views.shape[2]) @ as_found.T).reshape(len(beats), shifts, len(beats)).max(axis=1)
    seed = int(np.lexsort((pairs.sum(axis=0), (pairs >= SAME).sum(axis=0)))[-1])
    template = as_found[seed]
    for _ in range(3):
        likeness = views @ template
        moved, dominant = likeness.argmax(axis=1), likeness.max(axis=1) >= SAME
        dominant[seed] = True
        template = views[np.arange(len(beats)), moved][dominant].mean(axis=0)
        template /= np.linalg.norm(template) + 1e-12
    return beats + moved - SHIFT, dominant
