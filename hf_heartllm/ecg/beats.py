"""Where the heart beats are: a QRS detector over all leads together.

The classical chain of Pan and Tompkins (IEEE Trans. Biomed. Eng. 32, 230, 1985): band-pass, derivative, square, average
over the width of a QRS complex; here summed over the leads, so that a lead with small complexes or noise does not
decide. Peaks of that energy are beats where they exceed a share of the recording's typical beat.
"""

from __future__ import annotations

import numpy as np

from ..models.ecg_record import ECGError, ECGRecord

BAND = (5.0, 25.0)  # Hz, where QRS complexes have most of their energy
INTEGRATION = 0.12  # s, about the width of a broad QRS complex
REFRACTORY = 0.24  # s, no second beat before that: 250 beats per minute
SHARE = 0.12  # of a typical beat's energy that a peak must reach; a broad premature beat is less steep than the others


def beat_times(record: ECGRecord) -> np.ndarray:
    """Times of the beats.

    Args:
        record: at least 2 s at 50 Hz or more, in any unit. Leads with missing samples are left out.

    Returns:
        float64 (beats,), seconds from the start, ascending; the centre of each QRS complex's energy, a constant few
        milliseconds from the R peak. Empty for a recording without QRS complexes.

    Raises:
        ECGError: for a shorter recording, a lower rate, or no lead without missing samples.
    """
    from scipy.ndimage import uniform_filter1d
    from scipy.signal import butter, find_peaks, sosfiltfilt

    rate = record.sampling_rate
    if record.duration < 2 or rate < 2 * BAND[1]:
        raise ECGError(f"{record.source or 'record'}: beats need 2 s at {2 * BAND[1]:g} Hz or more")
    signal = record.signal[np.isfinite(record.signal).all(axis=1)].astype(np.float64)
    if not len(signal):
        raise ECGError(f"{record.source or 'record'}: every lead has missing samples")
    high = min(BAND[1], 0.49 * rate)
    filtered = sosfiltfilt(butter(2, (BAND[0], high), "bandpass", fs=rate, output="sos"), signal, axis=1)
    spread = np.median(np.abs(filtered), axis=1, keepdims=True) + 1e-12
    slope = np.gradient(filtered, axis=1)
    # A lead of noise alone has a large median beside its peaks, and so a small weight.
    energy = uniform_filter1d(
        ((slope / np.sqrt(spread * np.abs(filtered).max(axis=1, keepdims=True) + 1e-12)) ** 2).sum(axis=0),
        max(1, round(INTEGRATION * rate)),
    )
    candidates, _ = find_peaks(energy, distance=max(1, round(REFRACTORY * rate)))
    if not len(candidates) or not np.ptp(signal):
        return np.empty(0)
    # The typical beat: the median of one peak a second, the largest ones; a pause or an artefact does not move it.
    largest = np.sort(energy[candidates])[::-1][: max(3, round(record.duration))]
    beats = candidates[energy[candidates] >= SHARE * np.median(largest)]
    seconds: np.ndarray = beats / rate
    return seconds
