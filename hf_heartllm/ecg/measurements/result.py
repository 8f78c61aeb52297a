"""What `measure` returns: plain frozen dataclasses, and the same as flat columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from ...models.ecg_leads import STANDARD_LEADS

Value = float | int | bool | None


@dataclass(frozen=True)
class GlobalMeasurements:
    """Of the whole recording. None: could not be told; `Measurements.why` says why.

    Attributes:
        beats: number of QRS complexes found.
        heart_rate: per minute, from the mean RR interval.
        rr_ms: mean RR interval.
        rr_sd_ms: standard deviation of the RR intervals.
        rr_irregularity: median change from one RR interval to the next among dominant beats, as a share of the median
            RR interval; in sinus rhythm a few hundredths, in atrial fibrillation above a tenth.
        premature_beats: beats that come clearly before their time (less than 85 % of the median RR interval) and look
            otherwise than the dominant ones or are followed by a pause. None in an irregular rhythm.
        dominant_beats: share of the beats that look alike and are measured.
        p_share: share of the beats with a P wave before them.
        p_duration_ms: duration of the P wave.
        pr_ms: from the onset of P to the onset of QRS.
        qrs_ms: duration of the QRS complex.
        qt_ms: from the onset of QRS to the end of T.
        qtc_fridericia_ms: QT by the cube root of the mean RR interval in seconds (Acta Med. Scand. 53, 469, 1920).
        qtc_bazett_ms: QT by its square root (Heart 7, 353, 1920).
        axis_deg: frontal QRS axis from the net areas of I and aVF, -180 to 180; 0 to the left, 90 to the feet.
        r_transition: where between V1 and V6 R becomes as large as S, 1 to 6, interpolated (3.5: between V3 and V4).
        poor_r_progression: whether R in V3 is at most 0.3 mV.
    """

    beats: int | None = None
    heart_rate: float | None = None
    rr_ms: float | None = None
    rr_sd_ms: float | None = None
    rr_irregularity: float | None = None
    premature_beats: int | None = None
    dominant_beats: float | None = None
    p_share: float | None = None
    p_duration_ms: float | None = None
    pr_ms: float | None = None
    qrs_ms: float | None = None
    qt_ms: float | None = None
    qtc_fridericia_ms: float | None = None
    qtc_bazett_ms: float | None = None
    axis_deg: float | None = None
    r_transition: float | None = None
    poor_r_progression: bool | None = None


@dataclass(frozen=True)
class LeadMeasurements:
    """Of one lead, on the dominant beat. Amplitudes are in mV with their sign, from the level at the onset of QRS.

    Attributes:
        p_mv: the P wave's largest deflection, from the level at its onset.
        q_mv: the negative deflection before R; all of a QS complex. 0 where there is none, as below.
        q_ms: how long that deflection lasts, from a tenth of its depth to where the lead is back at its level.
        r_mv: the first positive deflection.
        s_mv: the negative deflection after R.
        r_prime_mv: a second positive deflection, after S.
        t_mv: the T wave's largest deflection.
        st_j_mv: level at the end of QRS.
        st_j60_mv: level 60 ms after it.
        qrs_area_mvms: net area of QRS.
        notched: whether R or S has two peaks of one sign.
        noise_mv: muscle noise between 25 and 45 Hz.
    """

    p_mv: float | None = None
    q_mv: float | None = None
    q_ms: float | None = None
    r_mv: float | None = None
    s_mv: float | None = None
    r_prime_mv: float | None = None
    t_mv: float | None = None
    st_j_mv: float | None = None
    st_j60_mv: float | None = None
    qrs_area_mvms: float | None = None
    notched: bool | None = None
    noise_mv: float | None = None


GLOBAL_NAMES: tuple[str, ...] = tuple(item.name for item in fields(GlobalMeasurements))
LEAD_NAMES: tuple[str, ...] = tuple(item.name for item in fields(LeadMeasurements))
COLUMNS: tuple[str, ...] = GLOBAL_NAMES + tuple(f"{lead}_{name}" for lead in STANDARD_LEADS for name in LEAD_NAMES)
"""The names of `Measurements.as_columns()`, always all of them."""


@dataclass(frozen=True)
class Fiducials:
    """Where the waves of the dominant beat lie, in ms from its reference point within the QRS; None if unknown."""

    p_onset: float | None = None
    p_offset: float | None = None
    qrs_onset: float | None = None
    qrs_offset: float | None = None
    t_offset: float | None = None


@dataclass(frozen=True)
class Measurements:
    """Measurements of a recording.

    Attributes:
        overall: of the whole recording.
        leads: name → measurements, for the recording's leads.
        fiducials: where the waves of the dominant beat lie.
        beat_times: seconds of the beats' reference points, from the start of the recording as it was given.
        reasons: name of a column (or of a lead, where the whole lead was not measured) → why it is None.
        warnings: what the checks of the recording found, one line each; the figures should not be read without them.
    """

    overall: GlobalMeasurements
    leads: dict[str, LeadMeasurements] = field(default_factory=dict)
    fiducials: Fiducials = Fiducials()
    beat_times: tuple[float, ...] = ()
    reasons: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def as_columns(self) -> dict[str, Value]:
        """Flat columns: the global names, then `V1_r_mv` … for each standard lead. Always all of `COLUMNS`."""
        columns: dict[str, Value] = {name: getattr(self.overall, name) for name in GLOBAL_NAMES}
        for lead in STANDARD_LEADS:
            of_lead = self.leads.get(lead, LeadMeasurements())
            columns.update({f"{lead}_{name}": getattr(of_lead, name) for name in LEAD_NAMES})
        return columns

    @classmethod
    def from_columns(cls, columns: Mapping[str, Any]) -> Measurements:
        """From what `as_columns` gave, or a row of a table of it: empty cells and NaN are None, others numbers.

        Reasons, warnings and times do not stand in columns: nothing is known of them then.

        Raises:
            ValueError: if a cell is no number.
        """

        def values(prefix: str, names: tuple[str, ...]) -> dict[str, Any]:
            return {name: _number(f"{prefix}{name}", columns.get(f"{prefix}{name}")) for name in names}

        of_leads = {lead: values(f"{lead}_", LEAD_NAMES) for lead in STANDARD_LEADS}
        leads = {
            lead: LeadMeasurements(**found)
            for lead, found in of_leads.items()
            if any(value is not None for value in found.values())
        }
        return cls(GlobalMeasurements(**values("", GLOBAL_NAMES)), leads)

    def why(self, column: str) -> str | None:
        """Why a column of `as_columns` is None; None if it has a value.

        Raises:
            KeyError: if there is no such column.
        """
        if self.as_columns()[column] is not None:
            return None
        lead = column.split("_")[0]
        if column in self.reasons:
            return self.reasons[column]
        if lead not in STANDARD_LEADS:
            return "not measured"
        if lead in self.reasons:  # the lead itself is bad
            return self.reasons[lead]
        if self.leads and lead not in self.leads:
            return f"the recording has no lead {lead}"
        found = self.reasons.get(column.removeprefix(f"{lead}_"))  # the wave was found in no lead
        if found is None and not self.leads:
            return f"the recording has no lead {lead}"
        return found or "the dominant beat is not long enough in this recording"


def _number(name: str, cell: Any) -> Value:
    """A cell as what it stands for: counts are whole, `poor_r_progression` and the like are true or false."""
    if isinstance(cell, str):
        cell = {"": None, "true": 1, "false": 0}.get(cell.strip().lower(), cell)
    if cell is None:
        return None
    try:
        number = float(cell)
    except (TypeError, ValueError):
        raise ValueError(f"{name}: {cell!r} is no number") from None
    if number != number:
        return None
    if name == "poor_r_progression" or name.endswith("_notched"):
        return bool(number)
    return int(number) if name in ("beats", "premature_beats") else number
