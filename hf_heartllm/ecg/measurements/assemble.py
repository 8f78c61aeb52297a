"""From a recording to its measurements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...models.ecg_checks import check_record, warn_of
from ...models.ecg_leads import INDEPENDENT_LEADS, LIMB_LEADS, STANDARD_LEADS, derive_limb_leads
from ...models.ecg_record import ECGError, ECGRecord, check_is_record
from ...models.ecg_resample import resample
from ..beats import beat_times
from ..quality import lead_quality
from . import wave_network
from .amplitudes import measure_lead
from .median_beat import PREMATURE, AlignedBeats, align_beats, mean_beat
from .qrs import QRSEdges, activity, qrs_edges
from .result import GLOBAL_NAMES, LEAD_NAMES, Fiducials, GlobalMeasurements, LeadMeasurements, Measurements
from .waves import WaveTimes, wave_times

RATE = 500.0  # Hz, at which everything is measured, whatever the recording's own rate
MIN_RATE = 100.0
MIN_DURATION = 2.0  # s
BEFORE, AFTER = 0.55, 0.75  # s of the dominant beat around its reference point
QRS_WINDOW = 0.35  # s around the reference point in which QRS is looked for
LEVEL = 0.016  # s before the onset of QRS that are level 0
MIN_DOMINANT = 0.4  # share of the beats that must look alike
MIN_CONTRAST = 8.0  # steepest slope of the dominant beat against the slopes beside its QRS
MIN_AXIS_AREA = 1.5  # mV·ms, net area in the frontal plane; less points nowhere
IRREGULAR = 0.1  # median change of RR as a share of RR
POOR_R = 0.3  # mV in V3 (poor R wave progression)
OF_P = ("p_duration_ms", "pr_ms", "p_mv")
OF_T = ("qt_ms", "qtc_fridericia_ms", "qtc_bazett_ms", "t_mv")
DIRECTIONS = ("axis_deg", "r_transition", "poor_r_progression")
OF_QRS = ("qrs_ms", "p_share", *OF_P, *OF_T, *DIRECTIONS, *LEAD_NAMES)


def measure(record: ECGRecord) -> Measurements:
    """Measure a recording: rate, intervals, axis, amplitudes, ST levels.

    What is doubtful is None, with the reason in `Measurements.reasons`; no exception is raised for a bad signal. What
    the checks of the recording find (`models.ecg_checks`) is warned of and stands in `Measurements.warnings`; constant
    stretches at its ends and leads without signal are not measured. P and T come from openecg's network (extra
    `measure`); without it all that rests on them is None.

    Args:
        record: at 100 Hz or more, at least 2 s; any leads. Intervals are taken
            over the leads that are usable (`hf_heartllm.ecg.quality`). In a record that is not in mV amplitudes are
            None.

    Raises:
        ECGError: for a lower rate or a shorter recording.
    """
    check_is_record(record)
    where = record.source or "record"
    if record.sampling_rate < MIN_RATE or record.duration < MIN_DURATION:
        raise ECGError(
            f"{where}: measurements need at least {MIN_DURATION:g} s at {MIN_RATE:g} Hz, "
            f"got {record.duration:g} s at {record.sampling_rate:g} Hz"
        )
    checked = check_record(record)
    warn_of(checked.findings, where)
    first = round(checked.start * record.sampling_rate)
    kept = replace(record, signal=record.signal[:, first : first + checked.record.signal.shape[1]])
    if kept.duration < MIN_DURATION:
        found = _nothing(f"less than {MIN_DURATION:g} s of the recording are no constant padding")
    else:
        found = _measured(kept, checked.record.leads)
    no_ecg = [finding.message for finding in checked.findings if finding.check == "no_ecg" and finding.fatal]
    if no_ecg and found.overall.beats is not None:
        found = _nothing(no_ecg[0])
    times = tuple(checked.start + time for time in found.beat_times)
    return replace(found, beat_times=times, warnings=tuple(finding.message for finding in checked.findings))


def _measured(record: ECGRecord, with_signal: Sequence[str]) -> Measurements:
    """Of a recording as it is, from those of its leads that hold a signal."""
    quality = {found.lead: found for found in lead_quality(record)}
    usable = [name for name in record.leads if quality[name].usable and name in with_signal]
    reasons = {name: ", ".join(found.problems) or "no signal" for name, found in quality.items() if name not in usable}
    if not usable:
        problems = sorted(set(reasons.values()))
        each = (f"{why} in {', '.join(lead for lead in reasons if reasons[lead] == why)}" for why in problems)
        return _nothing("no lead can be measured: " + "; ".join(each), reasons)
    signal = resample(record.select(usable).signal, record.sampling_rate, RATE)
    judged = _independent(signal, usable)
    times = beat_times(ECGRecord(judged, RATE, tuple(f"row {row}" for row in range(len(judged)))))
    aligned = align_beats(_steady(judged), RATE, times)
    if not len(aligned.positions):
        return _nothing("no QRS complexes were found", reasons)
    beat = mean_beat(_steady(judged), RATE, aligned.positions[aligned.dominant], QRS_WINDOW, QRS_WINDOW)
    doubt = _doubt(aligned, beat)
    if doubt or beat is None:  # not even the beats are certain
        return _nothing(doubt or "no beat lies whole within the recording", reasons)
    points = aligned.positions / RATE
    overall = _rhythm(times, aligned, reasons)
    edges = qrs_edges(beat, RATE, round(QRS_WINDOW * RATE))
    if edges is None:
        reasons |= dict.fromkeys(OF_QRS, "QRS has no clear onset or end")
        return Measurements(overall, {}, Fiducials(), tuple(points.tolist()), reasons)
    waves = _waves(judged, points, edges, aligned.dominant, record.duration)
    overall = _intervals(overall, edges, waves, reasons)
    at = _fiducials(edges, waves)
    leads: dict[str, LeadMeasurements] = {}
    if record.units == "mV":
        beats = _dominant_beat(signal, aligned, edges)
        leads = {
            lead: measure_lead(row, RATE, round(BEFORE * RATE), at, quality[lead].noise)
            for lead, row in zip(usable, beats)
        }
        overall = _directions(overall, leads, reasons)
    else:
        reasons |= dict.fromkeys((*LEAD_NAMES, *DIRECTIONS), "amplitudes need a recording in mV")
    return Measurements(overall, leads, at, tuple(points.tolist()), reasons)


def _nothing(reason: str, reasons: dict[str, str] | None = None) -> Measurements:
    every = dict.fromkeys((*GLOBAL_NAMES, *LEAD_NAMES), reason)
    return Measurements(GlobalMeasurements(), reasons={**(reasons or {}), **every})


def _independent(signal: np.ndarray, leads: list[str]) -> np.ndarray:
    """The rows that are no combination of others, float64 (at most 8 of the standard leads, all others, samples)."""
    rows = dict(zip(leads, signal))
    derived = derive_limb_leads(signal, leads)
    if derived or {"I", "II"} <= rows.keys():
        rows |= derived
        return np.stack([row for name, row in rows.items() if name in INDEPENDENT_LEADS or name not in STANDARD_LEADS])
    return signal


def _steady(signal: np.ndarray) -> np.ndarray:
    """Without baseline wander; phases untouched."""
    from scipy.signal import butter, sosfiltfilt

    steady: np.ndarray = sosfiltfilt(butter(1, 0.5, "highpass", fs=RATE, output="sos"), signal, axis=1)
    return steady


def _doubt(aligned: AlignedBeats, beat: np.ndarray | None) -> str | None:
    """Why the dominant beat is none that could be measured."""
    if aligned.dominant.mean() < MIN_DOMINANT or (aligned.dominant.sum() < 2 <= len(aligned.dominant)):
        return "the QRS complexes have no common shape"
    if beat is None:
        return "no beat lies whole within the recording"
    slopes = activity(beat, RATE)
    middle = round(QRS_WINDOW * RATE)
    near = slice(middle - round(0.1 * RATE), middle + round(0.1 * RATE))
    if slopes[near].max() < MIN_CONTRAST * np.quantile(slopes, 0.25):
        return "the QRS complexes do not stand out from the noise"
    return None


def _rhythm(times: np.ndarray, aligned: AlignedBeats, reasons: dict[str, str]) -> GlobalMeasurements:
    """Rate and regularity; RR intervals between the aligned beats."""
    intervals = np.diff(aligned.positions) / RATE * 1e3
    found = GlobalMeasurements(beats=len(times), dominant_beats=round(float(aligned.dominant.mean()), 3))
    if not len(intervals):
        of_rr = ("heart_rate", "rr_ms", "rr_sd_ms", "rr_irregularity", "premature_beats")
        reasons |= dict.fromkeys(of_rr, "fewer than two beats")
        return found
    mean, usual = float(intervals.mean()), float(np.median(intervals))
    found = replace(found, heart_rate=round(60e3 / mean, 1), rr_ms=round(mean), rr_sd_ms=round(float(intervals.std())))
    if len(intervals) < 3:
        reasons |= dict.fromkeys(("rr_irregularity", "premature_beats"), "fewer than four beats")
        return found
    # Of the dominant beats alone: premature ones make a regular rhythm no irregular one.
    alike = aligned.dominant[1:] & aligned.dominant[:-1]
    steady = alike[1:] & alike[:-1]
    changes = np.abs(np.diff(intervals))[steady]
    irregularity = float(np.median(changes)) / usual if len(changes) else None
    if irregularity is None:
        reasons |= dict.fromkeys(("rr_irregularity", "premature_beats"), "no three dominant beats in a row")
        return found
    found = replace(found, rr_irregularity=round(irregularity, 3))
    if irregularity > IRREGULAR:
        reasons["premature_beats"] = "the rhythm is irregular: no beat has a time of its own"
        return found
    early = intervals < PREMATURE * usual
    paused = np.append(intervals[1:] > 1.25 * intervals[:-1], False)
    return replace(found, premature_beats=int((early & (~aligned.dominant[1:] | paused)).sum()))


def _waves(judged: np.ndarray, points: np.ndarray, edges: QRSEdges, dominant: np.ndarray, duration: float) -> WaveTimes:
    if not wave_network.network_available():
        missing = wave_network.HOW_TO_INSTALL
        return WaveTimes(p_reason=missing, t_reason=missing)
    frames = wave_network.wave_frames(resample(judged, RATE, wave_network.RATE))
    return wave_times(frames, points + edges.onset, points + edges.offset, dominant, duration)


def _intervals(
    found: GlobalMeasurements, edges: QRSEdges, waves: WaveTimes, reasons: dict[str, str]
) -> GlobalMeasurements:
    """With P, PR, QRS and QT, in whole ms: what the next 10 µV of noise would not change."""
    found = replace(found, qrs_ms=round(edges.duration * 1e3))
    if waves.p_share is None:
        reasons["p_share"] = waves.p_reason or ""
    else:
        found = replace(found, p_share=round(waves.p_share, 3))
    if waves.p_onset is None or waves.p_offset is None:
        reasons |= dict.fromkeys(OF_P, waves.p_reason or "")
    else:
        duration = round((waves.p_offset - waves.p_onset) * 1e3)
        found = replace(found, p_duration_ms=duration, pr_ms=round(-waves.p_onset * 1e3))
    if waves.t_offset is None:
        reasons |= dict.fromkeys(OF_T, waves.t_reason or "")
        return found
    qt = waves.t_offset * 1e3
    found = replace(found, qt_ms=round(qt))
    if found.rr_ms is None:
        reasons |= dict.fromkeys(("qtc_fridericia_ms", "qtc_bazett_ms"), "fewer than two beats")
        return found
    seconds = found.rr_ms / 1e3
    return replace(
        found, qtc_fridericia_ms=round(qt / seconds ** (1 / 3)), qtc_bazett_ms=round(qt / seconds ** (1 / 2))
    )


def _fiducials(edges: QRSEdges, waves: WaveTimes) -> Fiducials:
    def after_onset(seconds: float | None) -> float | None:
        return None if seconds is None else round((edges.onset + seconds) * 1e3, 1)

    return Fiducials(
        after_onset(waves.p_onset),
        after_onset(waves.p_offset),
        round(edges.onset * 1e3, 1),
        round(edges.offset * 1e3, 1),
        after_onset(waves.t_offset),
    )


def _dominant_beat(signal: np.ndarray, aligned: AlignedBeats, edges: QRSEdges) -> np.ndarray:
    """The median of the dominant beats, float64 (leads, samples), its level before QRS being 0.

    A spline through the levels before QRS is taken away first (Meyer and Keiser, Comput. Biomed. Res. 10, 459, 1977):
    unlike a high-pass filter it leaves the ST segment as it is.
    """
    from scipy.interpolate import CubicSpline

    width = round(LEVEL * RATE)
    ends = aligned.positions[aligned.dominant] + round(edges.onset * RATE)
    ends = ends[ends >= width]
    baseline: np.ndarray | float = 0.0
    if len(ends):
        baseline = np.stack([signal[:, end - width : end].mean(axis=1) for end in ends], axis=1)
    if len(ends) > 1:
        middles = ends - width / 2
        samples = np.clip(np.arange(signal.shape[1]), middles[0], middles[-1])  # beyond the outer beats: their levels
        baseline = CubicSpline(middles, baseline, axis=1)(samples)
    before, after = round(BEFORE * RATE), round(AFTER * RATE)
    padded = np.pad(signal - baseline, ((0, 0), (before, after)), constant_values=np.nan)
    beats = padded[:, aligned.positions[aligned.dominant][:, None] + np.arange(before + after)]
    reached = ~np.isnan(beats).all(axis=1)  # numpy warns of instants that no beat reaches; they stay missing
    beat = np.where(reached, np.nanmedian(np.where(reached[:, None], beats, 0.0), axis=1), np.nan)
    first = before + round(edges.onset * RATE)
    levelled: np.ndarray = beat - beat[:, max(0, first - width) : first].mean(axis=1, keepdims=True)
    return levelled


def _directions(
    found: GlobalMeasurements, leads: dict[str, LeadMeasurements], reasons: dict[str, str]
) -> GlobalMeasurements:
    """With the frontal axis and R progression."""
    area = {lead: value for lead in LIMB_LEADS if lead in leads and (value := leads[lead].qrs_area_mvms) is not None}
    if area:
        derived = derive_limb_leads(np.array([[value] for value in area.values()]), list(area))
        area |= {lead: float(value[0]) for lead, value in derived.items()}
    if not {"I", "aVF"} <= area.keys():
        reasons["axis_deg"] = "the axis needs two usable limb leads"
    else:
        up, left = area["aVF"] * 2 / np.sqrt(3), area["I"]
        if np.hypot(up, left) < MIN_AXIS_AREA:
            reasons["axis_deg"] = "indeterminate: QRS has no net area in the frontal plane"
        else:
            found = replace(found, axis_deg=round(float(np.degrees(np.arctan2(up, left)))))
    if "V3" in leads and leads["V3"].r_mv is not None:
        found = replace(found, poor_r_progression=bool(leads["V3"].r_mv <= POOR_R))
    else:
        reasons["poor_r_progression"] = "R progression needs V3"
    chest = [leads.get(f"V{place}") for place in range(1, 7)]
    if any(lead is None for lead in chest):
        reasons["r_transition"] = "the transition needs V1 to V6"
        return found
    excess = np.array([_r_over_s(lead) for lead in chest if lead is not None])
    larger = np.flatnonzero(excess >= 0)
    if not len(larger):
        reasons["r_transition"] = "S stays larger than R up to V6"
        return found
    first = int(larger[0])
    part = excess[first - 1] / (excess[first - 1] - excess[first]) if first else 1.0
    return replace(found, r_transition=round(float(first + part), 1))


def _r_over_s(lead: LeadMeasurements) -> float:
    """By how much the largest positive deflection exceeds the largest negative one after Q, in mV."""
    negative = min(lead.s_mv or 0.0, 0.0 if lead.r_mv else lead.q_mv or 0.0)
    return max(lead.r_mv or 0.0, lead.r_prime_mv or 0.0) + negative
