"""Clinical fidelity: what `measure` reads from decoded recordings against what it reads from the originals.

Beside every interval stands what the measurement itself moves when noise of 0.5 to 40 Hz is added to the original whose
root mean square in each lead is that of the codec's error: no codec of that error can be expected to move it less.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ...ecg import EXAMPLES, STANDARD_LEADS, ECGError, ECGRecord, Measurements, measure, simulate_ecg
from ...ecg.beats import beat_times
from .coder import COMMON_RATE, Coder, twelve_leads
from .criteria import (
    cohen_kappa,
    cornell,
    low_limb_voltage,
    matched_beats,
    r_amplitude,
    s_amplitude,
    sokolow_lyon,
    st_verdicts,
)
from .distortion import in_band
from .parts import Figure, Part
from .records import LabelledRecord

INTERVALS = {"pr_ms": ("PR", 6.0, 15.0), "qrs_ms": ("QRS", 4.0, 12.0), "qt_ms": ("QT", 8.0, 20.0)}
"""Column → name, and what median and 90th percentile of the change should be at most, in ms."""

NOISE_ALLOWANCE = 1.5
INDEPENDENT = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")


class Changes:
    """Collects what differs between originals and other versions of them."""

    def __init__(self) -> None:
        self.records = 0
        self.columns: dict[str, list[float]] = {}
        self.verdicts: dict[str, list[tuple[bool, bool]]] = {}
        self.measurable: dict[str, list[bool]] = {}
        self.beats = self.found_beats = self.matched = 0

    def add(self, original: Measurements, other: Measurements, sex: str | None) -> None:
        """Compare one recording's measurements with those of another version of it."""
        self.records += 1
        for column in ("heart_rate", *INTERVALS):
            before, after = getattr(original.overall, column), getattr(other.overall, column)
            if before is None:
                continue
            self.measurable.setdefault(column, []).append(after is not None)
            if after is not None:
                self.columns.setdefault(column, []).append(abs(after - before))
        for lead in STANDARD_LEADS:
            for name, amplitude in (("R", r_amplitude), ("S", s_amplitude)):
                before, after = amplitude(original, lead), amplitude(other, lead)
                if before is not None and after is not None and max(before, after) > 0:
                    self.columns.setdefault(name, []).append(abs(after - before))
            if lead in original.leads and lead in other.leads:
                for column in ("st_j_mv", "st_j60_mv"):
                    before, after = getattr(original.leads[lead], column), getattr(other.leads[lead], column)
                    if before is not None and after is not None:
                        self.columns.setdefault(column, []).append(abs(after - before))
        before_st, after_st = st_verdicts(original), st_verdicts(other)
        for lead in before_st.keys() & after_st.keys():
            self._verdict("ST elevation", before_st[lead][0], after_st[lead][0])
            self._verdict("ST depression", before_st[lead][1], after_st[lead][1])
        self._verdict("Sokolow-Lyon", sokolow_lyon(original), sokolow_lyon(other))
        self._verdict("Cornell", cornell(original, sex), cornell(other, sex))
        self._verdict("low limb voltage", low_limb_voltage(original), low_limb_voltage(other))

    def _verdict(self, name: str, before: bool | None, after: bool | None) -> None:
        if before is not None and after is not None:
            self.verdicts.setdefault(name, []).append((before, after))

    def add_beats(self, original: Sequence[float], other: Sequence[float]) -> None:
        """Compare the beats found in two versions of a recording."""
        self.beats += len(original)
        self.found_beats += len(other)
        self.matched += matched_beats(original, other)

    def quantile(self, column: str, share: float) -> float | None:
        """A quantile of the absolute changes of a column; None where nothing was measured."""
        values = self.columns.get(column)
        return None if not values else float(np.quantile(values, share))


def same_noise(record: ECGRecord, decoded: ECGRecord, seed: int) -> ECGRecord:
    """The original with noise of 0.5 to 40 Hz, as strong in each independent lead as the codec's error there."""
    original = in_band(np.nan_to_num(twelve_leads(record.resample(COMMON_RATE))), COMMON_RATE)
    other = in_band(np.nan_to_num(twelve_leads(decoded.resample(COMMON_RATE))), COMMON_RATE)
    samples = min(original.shape[1], other.shape[1])
    size = np.sqrt(np.square(original[:, :samples] - other[:, :samples]).mean(axis=1))
    rng = np.random.default_rng(seed)
    rows = [STANDARD_LEADS.index(name) for name in INDEPENDENT]
    noise = in_band(rng.standard_normal((len(rows), record.signal.shape[1])), record.sampling_rate)
    noise *= (size[rows] / noise.std(axis=1))[:, None]
    full = twelve_leads(ECGRecord(noise, record.sampling_rate, INDEPENDENT))
    return ECGRecord(twelve_leads(record) + full, record.sampling_rate, STANDARD_LEADS, age=record.age, sex=record.sex)


def fidelity(coder: Coder, records: Iterable[LabelledRecord], name: str) -> Part:
    """Measure originals and decoded recordings, and originals with noise of the same size.

    Args:
        coder: the codec.
        records: what to measure.
        name: of the records in the figures, such as `"500 Hz"`.
    """
    prefixes = coder.prefixes()
    features = Changes()
    changed = {count: Changes() for count in prefixes}
    noised = {count: Changes() for count in prefixes}
    for one in records:
        record = one.read()
        try:
            encoded = coder.encode(record)
            original, beats = measure(record), beat_times(record)
        except ECGError:
            continue
        lossless = coder.to_record(coder.features(record), record, record.sampling_rate)
        features.add(original, measure(lossless), one.sex)
        features.add_beats(beats.tolist(), beat_times(lossless).tolist())
        for count in prefixes:
            decoded = coder.decode(encoded[:, :count], record, record.sampling_rate)
            noisy = same_noise(record, decoded, seed=one.ecg_id)
            changed[count].add(original, measure(decoded), one.sex)
            changed[count].add_beats(beats.tolist(), beat_times(decoded).tolist())
            noised[count].add(original, measure(noisy), one.sex)
            noised[count].add_beats(beats.tolist(), beat_times(noisy).tolist())
    figures = _figures(f"{name}, features themselves, as if coded without loss: ", features, None, judged=False)
    for count in prefixes:
        rate = coder.config.bits_per_second_of(count)
        label = f"{name}, {count} stream{'s' if count > 1 else ''} ({rate:.0f} bit/s): "
        figures += _figures(label, changed[count], noised[count], judged=count == prefixes[-1])
    return Part(figures)


def _figures(label: str, changed: Changes, noised: Changes | None, *, judged: bool) -> list[Figure]:
    data = f"{changed.records} recordings"

    def figure(title: str, value: float | None, unit: str, bar: str | None = None) -> list[Figure]:
        return [] if value is None else [Figure(label + title, value, unit, bar=bar if judged else None, data=data)]

    f1 = 2 * changed.matched / max(changed.beats + changed.found_beats, 1)
    figures = figure("F1 of R peaks within 50 ms", f1, "fraction", ">= 0.995")
    rates = changed.columns.get("heart_rate", [])
    if rates:
        figures += figure("change of heart rate, median", float(np.median(rates)), "1/min", "<= 1")
        figures += figure("change of heart rate within 1 bpm", float((np.array(rates) <= 1).mean()), "fraction")
    for column, (title, *limits) in INTERVALS.items():
        for words, share, limit in (("median", 0.5, limits[0]), ("90th percentile", 0.9, limits[1])):
            control = None if noised is None else noised.quantile(column, share)
            bar = f"<= {max(limit, NOISE_ALLOWANCE * (control or 0.0)):.1f}"
            figures += figure(f"change of {title}, {words}", changed.quantile(column, share), "ms", bar)
            figures += figure(f"change of {title} under noise of the same size, {words}", control, "ms")
        if there := changed.measurable.get(column):
            figures += figure(f"{title} still measurable", float(np.mean(there)), "fraction")
    for column in ("R", "S"):
        figures += figure(f"change of {column} amplitude, median", changed.quantile(column, 0.5), "mV", "<= 0.05")
    for column, title in (("st_j_mv", "ST at J"), ("st_j60_mv", "ST at J + 60 ms")):
        figures += figure(f"change of {title}, median", changed.quantile(column, 0.5), "mV", "<= 0.02")
        if values := changed.columns.get(column):
            within = float((np.array(values) <= 0.05).mean())
            figures += figure(f"change of {title} within 0.05 mV", within, "fraction of leads", ">= 0.95")
    for title in ("ST elevation", "ST depression"):
        if pairs := changed.verdicts.get(title):
            crossed = float(np.mean([before != after for before, after in pairs]))
            figures += figure(f"{title}, threshold crossed", crossed, "fraction of leads")
    for title in ("Sokolow-Lyon", "Cornell", "low limb voltage"):
        pairs = changed.verdicts.get(title, [])
        kappa = cohen_kappa([before for before, _ in pairs], [after for _, after in pairs])
        wanted = ">= 0.8" if judged else None
        if kappa is not None:
            positive = sum(before for before, _ in pairs)
            where = f"{len(pairs)} recordings, {positive} positive in the original"
            figures.append(Figure(f"{label}{title}, kappa", kappa, "Cohen's kappa", bar=wanted, data=where))
    return figures


def measurement_against_truth(seeds: int) -> Part:
    """What `measure` reads from simulated recordings against their known truth: the measuring checked by itself."""
    errors: dict[str, list[float]] = {}
    for name, settings in EXAMPLES.items():
        for seed in range(seeds):
            record, truth = simulate_ecg(name=name, **{**settings, "seed": int(settings["seed"]) + 100 * seed})
            found = measure(record).overall
            for column, (title, *_) in INTERVALS.items():
                value, known = getattr(found, column), getattr(truth, column.removesuffix("_ms"))
                if value is not None and known is not None:
                    errors.setdefault(title, []).append(abs(value - known))
    figures = []
    for title, values in errors.items():
        for words, share in (("median", 0.5), ("90th percentile", 0.9)):
            label = f"measurement of {title} against the simulator's truth, {words}"
            data = f"{len(values)} simulated recordings"
            figures.append(Figure(label, float(np.quantile(values, share)), "ms", data=data))
    return Part(figures)
