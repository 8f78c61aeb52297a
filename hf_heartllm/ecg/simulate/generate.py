"""Simulated 12-lead recordings with known truth."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from ...models.ecg_leads import STANDARD_LEADS
from ...models.ecg_record import ECGError, ECGRecord
from ...models.ecg_resample import resample
from . import rhythms
from .disturbances import disturbances
from .waves import (
    CONDUCTIONS,
    QRS_MS,
    ST_VECTORS,
    Beat,
    Source,
    amplitudes,
    frontal_axis,
    leads_from_dipole,
    make_beat,
    r_peak,
    twelve_leads,
)

RHYTHMS = ("sinus", "atrial fibrillation")
PREMATURE = ("ventricular", "supraventricular")
_RATE = 1000.0  # Hz; everything is made at this rate and resampled, so that a seed means one ECG at any rate
_MARGIN = 1.0  # seconds on either side, so that the resampling filter never sees an end


@dataclass(frozen=True)
class SimulationTruth:
    """What is known about a simulated recording.

    Attributes:
        rhythm: `sinus rhythm`, `sinus tachycardia` (above 100/min), `sinus bradycardia` (below 60/min) or
            `atrial fibrillation`.
        heart_rate: mean rate of the dominant rhythm that was asked for, beats per minute.
        beat_times: seconds of the R peaks within the recording, in order.
        beat_kinds: `normal`, `ventricular` or `supraventricular`, one a beat.
        pr: PR interval of the normal beats in ms, from the onset of P to the onset of QRS; None without P waves.
        qrs: QRS duration of the normal beats in ms.
        qt: QT interval of the normal beats in ms.
        axis: frontal QRS axis of the normal beats in degrees (0: to the left, 90: to the feet).
        conduction: `normal`, `left bundle branch block` or `right bundle branch block`.
        st_elevation: `anterior`, `inferior`, `lateral` or None.
        p_onset: of the normal beats, in ms from the R peak (negative); None without P waves.
        p_offset: end of P, likewise.
        qrs_onset: in ms from the R peak (negative).
        qrs_offset: in ms from the R peak.
        t_offset: end of T, in ms from the R peak.
        amplitudes: of the normal beats, lead → `p`, `q`, `r`, `s`, `t`, `j`, `j60` → mV (no `p` without P waves).
    """

    rhythm: str
    heart_rate: float
    beat_times: tuple[float, ...]
    beat_kinds: tuple[str, ...]
    pr: float | None
    qrs: float
    qt: float
    axis: float
    conduction: str = "normal"
    st_elevation: str | None = None
    p_onset: float | None = None
    p_offset: float | None = None
    qrs_onset: float | None = None
    qrs_offset: float | None = None
    t_offset: float | None = None
    amplitudes: dict[str, dict[str, float]] = field(default_factory=dict, hash=False)

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
        return asdict(self)


def simulate_ecg(
    *,
    rhythm: str = "sinus",
    heart_rate: float | None = None,
    conduction: str = "normal",
    premature: str | None = None,
    st_elevation: str | None = None,
    pr: float | None = None,
    qrs: float | None = None,
    qtc: float = 410.0,
    voltage: float = 1.0,
    respiratory_arrhythmia: float = 0.03,
    variation: float = 1.0,
    noise: float = 0.008,
    wander: float = 0.04,
    mains: float = 0.0,
    sampling_rate: float = 500.0,
    duration: float = 10.0,
    seed: int = 0,
    name: str | None = None,
) -> tuple[ECGRecord, SimulationTruth]:
    """Simulate a 12-lead ECG: a moving dipole seen through Dower's matrix.

    Args:
        rhythm: `sinus` or `atrial fibrillation` (no P waves, fibrillatory waves of 4 to 9 Hz, irregular).
        heart_rate: beats per minute, 20 to 220; 70 (fibrillation: 88) when None.
        conduction: `normal`, `left bundle branch block` or `right bundle branch block`.
        premature: `ventricular` or `supraventricular` premature beats every few beats, or None; in sinus rhythm only.
        st_elevation: `anterior`, `inferior`, `lateral` or None.
        pr: PR interval in ms, 100 to 400; about 160, less at high rates, when None. Above 200 is a first-degree block.
        qrs: QRS duration in ms, 60 to 220; 90, 140 (right) or 150 (left bundle branch block) when None.
        qtc: QT interval at 60/min in ms, 300 to 600; QT follows the mean rate by Fridericia's cube root.
        voltage: factor on the QRS, 0.05 to 5; P and T change with its square root.
        respiratory_arrhythmia: relative change of the RR interval with respiration, 0 to 0.3.
        variation: how much hearts differ from seed to seed (direction and size of the dipole); 0: all the same.
        noise: muscle noise in mV (root mean square).
        wander: amplitude of the baseline wander in mV.
        mains: amplitude of 50 Hz hum in mV.
        sampling_rate: Hz, 50 to 10,000. A seed gives the same ECG at any whole rate, less what the rate cannot hold.
        duration: seconds, at least 2.
        seed: of everything random.
        name: what the record is called in `source`, after the word `simulated`.

    Returns:
        The record (all twelve leads, mV) and its truth. Einthoven's and Goldberger's laws hold up to float32 rounding.

    Raises:
        ECGError: if an argument is outside what can be simulated.
    """
    heart_rate = heart_rate if heart_rate is not None else (70.0 if rhythm == "sinus" else 88.0)
    qrs = qrs if qrs is not None else QRS_MS.get(conduction, 90.0)
    _one_of("rhythm", rhythm, RHYTHMS)
    _one_of("conduction", conduction, CONDUCTIONS)
    _one_of("premature", premature, (*PREMATURE, None))
    _one_of("st_elevation", st_elevation, (*ST_VECTORS, None))
    for what, value, low, high in (
        ("heart_rate", heart_rate, 20, 220),
        ("pr", 160.0 if pr is None else pr, 100, 400),
        ("qrs", qrs, 60, 220),
        ("qtc", qtc, 300, 600),
        ("voltage", voltage, 0.05, 5),
        ("respiratory_arrhythmia", respiratory_arrhythmia, 0, 0.3),
        ("variation", variation, 0, 3),
        ("noise", noise, 0, 5),
        ("wander", wander, 0, 5),
        ("mains", mains, 0, 5),
        ("sampling_rate", sampling_rate, 50, 10_000),
        ("duration", duration, 2, 100_000),
    ):
        if not low <= value <= high:
            raise ECGError(f"simulate: {what} must be between {low} and {high}, got {value}")
    fibrillation = rhythm == "atrial fibrillation"
    if fibrillation and (premature is not None or pr is not None):
        raise ECGError("simulate: atrial fibrillation has no P waves, so neither a PR interval nor premature beats")

    rr = 60.0 / heart_rate
    pr_ms = None if fibrillation else (pr if pr is not None else float(np.clip(120 + 47 * rr, 120, 170)))
    qt_ms = qtc * rr ** (1 / 3)
    if qt_ms < qrs + 150:  # a repolarisation shorter than this has no place for a T wave
        raise ECGError(f"simulate: a QT interval of {qt_ms:.0f} ms is too short for a QRS of {qrs:.0f} ms")
    body, timing, hum = (np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(3))
    size = voltage * float(np.exp(0.07 * variation * np.clip(body.normal(), -2, 2)))
    turn = _rotation(np.radians(variation * np.clip(body.normal(0, [8, 5, 5]), [-16, -10, -10], [16, 10, 10])))
    fixed = {"voltage": size, "st": st_elevation, "qt": qt_ms / 1e3}
    pr_s = None if pr_ms is None else pr_ms / 1e3
    beats = {"normal": make_beat(conduction, pr=pr_s, qrs=qrs / 1e3, **fixed)}
    if premature == "ventricular":
        fixed["qt"] = max(qt_ms, QRS_MS["ventricular"] + 200) / 1e3
        beats[premature] = make_beat("ventricular", pr=None, qrs=QRS_MS["ventricular"] / 1e3, **{**fixed, "st": None})
    elif premature == "supraventricular":
        early = 0.9 * (pr_s or 0.15)
        beats[premature] = make_beat(conduction, pr=early, qrs=qrs / 1e3, p_wave="supraventricular", **fixed)
    beats = {kind: _turned(beat, turn) for kind, beat in beats.items()}

    before = round(_MARGIN * sampling_rate)  # samples of the margin at the wanted rate; time 0 is one of its instants
    times = np.arange(round((duration + 2 * _MARGIN) * _RATE)) / _RATE - before / sampling_rate
    schedule = (
        rhythms.atrial_fibrillation(duration, rr, timing)
        if fibrillation
        else rhythms.sinus(duration, rr, respiratory_arrhythmia, premature, timing)
    )
    dipole = rhythms.fibrillatory_waves(times, timing) if fibrillation else np.zeros((3, len(times)))
    for time, kind in schedule:
        first, last = np.searchsorted(times, (time - 0.7, time + 0.9))
        dipole[:, first:last] += beats[kind].at(times[first:last] - time)
    independent = leads_from_dipole(dipole) + disturbances(times, noise=noise, wander=wander, mains=mains, rng=hum)
    samples = round(duration * sampling_rate)
    normal = beats["normal"]
    peaks = {kind: r_peak(beat) for kind, beat in beats.items()}
    r_peaks = [(time + peaks[kind], kind) for time, kind in schedule]
    inside = [(time, kind) for time, kind in r_peaks if 0 <= time <= (samples - 1) / sampling_rate]
    truth = SimulationTruth(
        rhythm=rhythm if fibrillation else _sinus_name(heart_rate),
        heart_rate=float(heart_rate),
        beat_times=tuple(float(time) for time, _ in inside),
        beat_kinds=tuple(kind for _, kind in inside),
        pr=pr_ms,
        qrs=float(qrs),
        qt=float(qt_ms),
        axis=frontal_axis(normal),
        conduction=conduction,
        st_elevation=st_elevation,
        p_onset=None if normal.p_onset is None else normal.p_onset * 1e3,
        p_offset=None if normal.p_offset is None else normal.p_offset * 1e3,
        qrs_onset=normal.qrs_onset * 1e3,
        qrs_offset=normal.qrs_offset * 1e3,
        t_offset=normal.t_offset * 1e3,
        amplitudes=amplitudes(normal),
    )
    signal = twelve_leads(resample(independent, _RATE, sampling_rate)[:, before : before + samples])
    source = f"simulated: {name or truth.rhythm}, seed {seed}"
    return ECGRecord(signal, sampling_rate, STANDARD_LEADS, source=source), truth


def _sinus_name(heart_rate: float) -> str:
    return "sinus tachycardia" if heart_rate > 100 else "sinus bradycardia" if heart_rate < 60 else "sinus rhythm"


def _one_of(what: str, value: str | None, choices: tuple[str | None, ...]) -> None:
    if value not in choices:
        raise ECGError(f"simulate: {what} must be one of {', '.join(str(c) for c in choices)}; got {value!r}")


def _rotation(angles: np.ndarray) -> np.ndarray:
    """The rotation by angles (radians) about Z (the frontal plane), Y and X, (3, 3)."""
    (cz, cy, cx), (sz, sy, sx) = np.cos(angles), np.sin(angles)
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    rotation: np.ndarray = about_z @ about_y @ about_x
    return rotation


def _turned(beat: Beat, rotation: np.ndarray) -> Beat:
    def turned(source: Source) -> Source:
        x, y, z = (float(value) for value in rotation @ np.array(source.vector))
        return replace(source, vector=(x, y, z))

    return replace(beat, sources=tuple(turned(source) for source in beat.sources))
