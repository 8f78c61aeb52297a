"""The heart as a moving dipole, and what the leads see of it.

Every wave is a sum of Gaussian sources with a fixed direction in three dimensions (after McSharry et al., IEEE Trans.
Biomed. Eng. 50, 289 (2003), in the dipole form of Sameni et al., EURASIP J. Adv. Signal Process. 2007, 043407). The
eight independent leads follow from the dipole through the matrix of Dower et al., J. Electrocardiol. 13, 81 (1980), as
printed by Edenbrandt and Pahlm, J. Electrocardiol. 21, 361 (1988); the other four from I and II by definition.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...models.ecg_leads import STANDARD_LEADS, augmented_leads

# Rows: the lead as a combination of X (to the left), Y (to the feet) and Z (to the back), all in mV.
TRANSFER_MATRIX = np.array(
    [
        [0.632, -0.235, 0.059],  # I
        [0.235, 1.066, -0.132],  # II
        [-0.515, 0.157, -0.917],  # V1
        [0.044, 0.164, -1.387],  # V2
        [0.882, 0.098, -1.277],  # V3
        [1.213, 0.127, -0.601],  # V4
        [1.125, 0.127, -0.086],  # V5
        [0.831, 0.076, 0.230],  # V6
    ]
)
# A wave begins and ends where its outer Gaussians have fallen to exp(-2.5² / 2) = 4 % of their peak.
EDGE = 2.5


@dataclass(frozen=True)
class Source:
    """A Gaussian source: time of its peak and widths before and after it (seconds), and its vector (mV in X, Y, Z)."""

    time: float
    rise: float
    fall: float
    vector: tuple[float, float, float]

    @property
    def onset(self) -> float:
        return self.time - EDGE * self.rise

    @property
    def offset(self) -> float:
        return self.time + EDGE * self.fall

    def at(self, times: np.ndarray) -> np.ndarray:
        """The dipole, float64 (3, len(times))."""
        distance = times - self.time
        width = np.where(distance < 0, self.rise, self.fall)
        return np.outer(self.vector, np.exp(-0.5 * (distance / width) ** 2))


@dataclass(frozen=True)
class Beat:
    """One heart beat: its sources, with time 0 at the R peak; onsets and offsets in seconds."""

    sources: tuple[Source, ...]
    qrs_onset: float
    qrs_offset: float
    t_offset: float
    p_onset: float | None
    p_offset: float | None = None

    def at(self, times: np.ndarray) -> np.ndarray:
        """The dipole, float64 (3, len(times))."""
        out = np.zeros((3, len(times)))
        for source in self.sources:
            out += source.at(times)
        return out


Vector = tuple[float, float, float]
# Milliseconds from an arbitrary zero, widths, vector. Septal, main and basal activation, then their variants.
_QRS: dict[str, list[tuple[float, float, Vector]]] = {
    "normal": [(-22, 8, (-0.15, -0.06, -0.24)), (0, 11, (1.02, 0.90, 0.32)), (23, 9, (-0.12, -0.22, 0.62))],
    # The right ventricle comes last: a slow vector to the right and to the front (R' in V1, broad S in I and V6).
    "right bundle branch block": [
        (-22, 8, (-0.15, -0.06, -0.24)),
        (0, 11, (1.02, 0.90, 0.32)),
        (24, 9, (-0.05, -0.15, 0.42)),
        (66, 19, (-0.46, -0.08, -0.62)),
    ],
    # No septal q; slow activation to the left and back (broad notched R in I and V6, QS in V1).
    "left bundle branch block": [(-26, 16, (0.75, 0.50, 0.75)), (22, 19, (0.86, 0.22, 0.98))],
    # An ectopic beat from the outflow tract: broad, tall, directed to the feet, left and back.
    "ventricular": [(-22, 20, (0.62, 0.95, 0.80)), (26, 22, (0.55, 0.75, 0.92))],
}
QRS_MS = {
    "normal": 90.0,
    "right bundle branch block": 140.0,
    "left bundle branch block": 150.0,
    "ventricular": 160.0,
}
_T: dict[str, Vector] = {
    "normal": (0.27, 0.22, -0.17),
    "right bundle branch block": (0.27, 0.22, 0.06),  # away from the late vector: inverted in V1
    "left bundle branch block": (-0.24, -0.08, -0.30),  # discordant: upright in V1, inverted in I and V6
    "ventricular": (-0.34, -0.46, -0.34),
}
# Right atrium first (to the front), then the left one (to the back): biphasic in V1.
_P: dict[str, list[tuple[float, float, Vector]]] = {
    "normal": [(-17, 15, (0.05, 0.085, -0.05)), (17, 15, (0.10, 0.060, 0.03))],
    "supraventricular": [(-14, 13, (0.05, -0.020, 0.04)), (14, 13, (0.08, -0.050, -0.02))],  # from another place
}
ST_VECTORS: dict[str, Vector] = {
    "anterior": (0.06, -0.02, -0.20),
    "inferior": (-0.06, 0.21, 0.02),
    "lateral": (0.26, -0.12, 0.05),
}
CONDUCTIONS = ("normal", "left bundle branch block", "right bundle branch block")


def make_beat(
    kind: str, *, pr: float | None, qrs: float, qt: float, voltage: float, st: str | None, p_wave: str = "normal"
) -> Beat:
    """A beat from its intervals.

    Args:
        kind: one of the keys of `QRS_MS`.
        pr: PR interval in seconds, from the onset of P to the onset of QRS; None for a beat without P wave.
        qrs: QRS duration in seconds.
        qt: QT interval in seconds.
        voltage: factor on the QRS; P and T change with its square root.
        st: a key of `ST_VECTORS` for an elevated ST segment, or None.
        p_wave: `normal` or `supraventricular`.
    """
    ventricles = [Source(time / 1e3, width / 1e3, width / 1e3, vector) for time, width, vector in _QRS[kind]]
    first, last = min(source.onset for source in ventricles), max(source.offset for source in ventricles)
    stretch = qrs / (last - first)
    ventricles = [_stretched(source, stretch, voltage) for source in ventricles]
    ventricles = _centred(ventricles)
    onset, offset = min(source.onset for source in ventricles), max(source.offset for source in ventricles)
    small = float(np.sqrt(voltage))
    sources = list(ventricles)
    t_end = onset + qt
    room = t_end - offset  # ST segment and T wave
    fall = min(0.036, room / 7)
    sources.append(Source(t_end - EDGE * fall, min(0.05, room / 5.5), fall, _scaled(_T[kind], small)))
    if st is not None:
        sources.append(Source(offset, 0.012, min(0.09, room / 3.2), _scaled(ST_VECTORS[st], 1.0)))
    p_onset = p_offset = None
    if pr is not None:
        p_onset = onset - pr
        atria = [Source(time / 1e3, width / 1e3, width / 1e3, vector) for time, width, vector in _P[p_wave]]
        shift = p_onset - min(source.onset for source in atria)
        atria = [replace(s, time=s.time + shift, vector=_scaled(s.vector, small)) for s in atria]
        p_offset = max(source.offset for source in atria)
        sources += atria
    return Beat(tuple(sources), onset, offset, t_end, p_onset, p_offset)


def r_peak(beat: Beat) -> float:
    """Where a beat's R peak lies, to the millisecond: 0, but for a broad complex that was turned after it was made.

    A complex of two humps has its R peak in the higher one, and which one that is depends on the direction.
    """
    times = np.arange(beat.qrs_onset, beat.qrs_offset, 2.5e-4)
    peak = float(times[np.argmax((leads_from_dipole(beat.at(times)) ** 2).sum(axis=0))])
    return peak if abs(peak) > 1e-3 else 0.0


def leads_from_dipole(dipole: np.ndarray) -> np.ndarray:
    """I, II, V1 … V6 in mV, float64 (8, samples), from the dipole (3, samples)."""
    leads: np.ndarray = TRANSFER_MATRIX @ dipole
    return leads


def twelve_leads(independent: np.ndarray) -> np.ndarray:
    """The twelve standard leads, float64 (12, samples), from I, II, V1 … V6 (Einthoven's and Goldberger's laws)."""
    one, two = independent[0], independent[1]
    limb = np.stack([one, two, *augmented_leads(one, two)])
    return np.concatenate([limb, independent[2:]])


def frontal_axis(beat: Beat) -> float:
    """The frontal QRS axis in degrees, in (-180, 180], from the net areas of I and aVF.

    aVF is brought to the scale of the bipolar leads (2 / √3) first, as in the hexaxial system.
    """
    times = np.arange(beat.qrs_onset, beat.qrs_offset, 1e-3)
    one, two = leads_from_dipole(beat.at(times))[:2].sum(axis=1)
    return float(np.degrees(np.arctan2((two - one / 2) * 2 / np.sqrt(3), one)))


def amplitudes(beat: Beat) -> dict[str, dict[str, float]]:
    """Deflections of the twelve leads in mV, from the beat without noise: lead → name → value.

    `p` and `t`: the largest deflection between the wave's edges (T: from 40 ms after QRS). `r`: the highest point of
    QRS, `q` and `s`: the lowest before and after it; 0 where the lead stays on the other side. `j` and `j60`: the level
    at the end of QRS and 60 ms later.
    """
    times = np.arange(-0.6, 0.8, 5e-4)
    leads = dict(zip(STANDARD_LEADS, twelve_leads(leads_from_dipole(beat.at(times)))))

    def part(values: np.ndarray, start: float, stop: float) -> np.ndarray:
        return values[(times >= start) & (times <= stop)]

    out = {}
    for lead, values in leads.items():
        qrs = part(values, beat.qrs_onset, beat.qrs_offset)
        top = int(np.argmax(qrs))
        t_wave = part(values, beat.qrs_offset + 0.04, beat.t_offset)
        found = {
            "q": min(float(qrs[: top + 1].min()), 0.0),
            "r": max(float(qrs[top]), 0.0),
            "s": min(float(qrs[top:].min()), 0.0),
            "t": float(t_wave[np.argmax(np.abs(t_wave))]),
            "j": float(np.interp(beat.qrs_offset, times, values)),
            "j60": float(np.interp(beat.qrs_offset + 0.06, times, values)),
        }
        if beat.p_onset is not None and beat.p_offset is not None:
            p_wave = part(values, beat.p_onset, beat.p_offset)
            found["p"] = float(p_wave[np.argmax(np.abs(p_wave))])
        out[lead] = {name: round(value, 6) for name, value in found.items()}
    return out


def _scaled(vector: Vector, factor: float) -> Vector:
    return (vector[0] * factor, vector[1] * factor, vector[2] * factor)


def _stretched(source: Source, stretch: float, voltage: float) -> Source:
    return Source(source.time * stretch, source.rise * stretch, source.fall * stretch, _scaled(source.vector, voltage))


def _centred(sources: list[Source]) -> list[Source]:
    """The same QRS with time 0 at its R peak: where the eight leads together (root of summed squares) are largest."""
    times = np.arange(-0.15, 0.15, 2.5e-4)
    dipole = np.zeros((3, len(times)))
    for source in sources:
        dipole += source.at(times)
    peak = float(times[np.argmax((leads_from_dipole(dipole) ** 2).sum(axis=0))])
    return [replace(source, time=source.time - peak) for source in sources]
