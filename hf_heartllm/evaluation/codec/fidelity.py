"""Clinical fidelity: what `measure` reads from decoded recordings against what it reads from the originals.

Beside every interval stands what the measurement itself moves when noise of 0.5 to 40 Hz is added to the original whose
root mean square in each lead is that of the codec's error: no codec of that error can be expected to move it less.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from ...data.record import Record
from ...ecg import EXAMPLES, STANDARD_LEADS, ECGError, ECGRecord, Measurements, measure, simulate_ecg
from ...ecg.beats import beat_times
from ...models.ecg_leads import INDEPENDENT_LEADS
from ..intervals import Bootstrap, Resampled
from ..people import id_number, patient_numbers
from ..results import Result
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
from .parts import Part

INTERVALS = {"pr_ms": ("PR", 6.0, 15.0), "qrs_ms": ("QRS", 4.0, 12.0), "qt_ms": ("QT", 8.0, 20.0)}
"""Column → name, and what median and 90th percentile of the change should be at most, in ms."""

NOISE_ALLOWANCE = 1.5
RESAMPLES = 500


class Changes:
    """Collects what differs between originals and other versions of them, each difference with its patient."""

    def __init__(self) -> None:
        self.records = 0
        self.rows: dict[str, list[tuple[float, ...]]] = {}
        self.patients: dict[str, list[str]] = {}

    def _note(self, column: str, patient: str, *values: float) -> None:
        self.rows.setdefault(column, []).append(values)
        self.patients.setdefault(column, []).append(patient)

    def add(self, original: Measurements, other: Measurements, one: Record) -> None:
        """Compare one recording's measurements with those of another version of it."""
        self.records += 1
        patient = one.patient
        for column in ("heart_rate", *INTERVALS):
            before, after = getattr(original.overall, column), getattr(other.overall, column)
            if before is None:
                continue
            self._note(f"{column} there", patient, after is not None)
            if after is not None:
                self._note(column, patient, abs(after - before))
        for lead in STANDARD_LEADS:
            for name, amplitude in (("R", r_amplitude), ("S", s_amplitude)):
                before, after = amplitude(original, lead), amplitude(other, lead)
                if before is not None and after is not None and max(before, after) > 0:
                    self._note(name, patient, abs(after - before))
            if lead in original.leads and lead in other.leads:
                for column in ("st_j_mv", "st_j60_mv"):
                    before, after = getattr(original.leads[lead], column), getattr(other.leads[lead], column)
                    if before is not None and after is not None:
                        self._note(column, patient, abs(after - before))
        before_st, after_st = st_verdicts(original), st_verdicts(other)
        for lead in STANDARD_LEADS:
            if lead in before_st and lead in after_st:
                self._note("ST elevation", patient, before_st[lead][0], after_st[lead][0])
                self._note("ST depression", patient, before_st[lead][1], after_st[lead][1])
        for name, before, after in (
            ("Sokolow-Lyon", sokolow_lyon(original), sokolow_lyon(other)),
            ("Cornell", cornell(original, one.sex), cornell(other, one.sex)),
            ("low limb voltage", low_limb_voltage(original), low_limb_voltage(other)),
        ):
            if before is not None and after is not None:
                self._note(name, patient, before, after)

    def add_beats(self, original: Sequence[float], other: Sequence[float], one: Record) -> None:
        """Compare the beats found in two versions of a recording."""
        self._note("beats", one.patient, len(original), len(other), matched_beats(original, other))

    def judged(self, column: str, statistic: Callable[[np.ndarray], float | None]) -> Resampled | None:
        """A statistic of a column's rows with its interval over patients; None where it has no value."""
        if column not in self.rows:
            return None
        rows = np.array(self.rows[column], dtype=np.float64)
        found = Bootstrap(patient_numbers(self.patients[column]), resamples=RESAMPLES).rows(rows, statistic)
        return None if np.isnan(found.value) else found


def _quantile(share: float) -> Callable[[np.ndarray], float]:
    return lambda rows: float(np.quantile(rows, share))


def _share(limit: float) -> Callable[[np.ndarray], float]:
    return lambda rows: float((rows <= limit).mean())


def _crossed(rows: np.ndarray) -> float:
    return float((rows[:, 0] != rows[:, 1]).mean())


def _kappa(rows: np.ndarray) -> float | None:
    return cohen_kappa(rows[:, 0], rows[:, 1])


def _f1(rows: np.ndarray) -> float:
    there, found, matched = rows.sum(axis=0)
    return float(2 * matched / max(there + found, 1))


def same_noise(record: ECGRecord, decoded: ECGRecord, seed: int) -> ECGRecord:
    """The original with noise of 0.5 to 40 Hz, as strong in each independent lead as the codec's error there."""
    original = in_band(np.nan_to_num(twelve_leads(record.resample(COMMON_RATE))), COMMON_RATE)
    other = in_band(np.nan_to_num(twelve_leads(decoded.resample(COMMON_RATE))), COMMON_RATE)
    samples = min(original.shape[1], other.shape[1])
    size = np.sqrt(np.square(original[:, :samples] - other[:, :samples]).mean(axis=1))
    rng = np.random.default_rng(seed)
    rows = [STANDARD_LEADS.index(name) for name in INDEPENDENT_LEADS]
    noise = in_band(rng.standard_normal((len(rows), record.signal.shape[1])), record.sampling_rate)
    noise *= (size[rows] / noise.std(axis=1))[:, None]
    full = twelve_leads(ECGRecord(noise, record.sampling_rate, INDEPENDENT_LEADS))
    return ECGRecord(twelve_leads(record) + full, record.sampling_rate, STANDARD_LEADS, age=record.age, sex=record.sex)


def fidelity(coder: Coder, records: Iterable[Record], name: str) -> Part:
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
        features.add(original, measure(lossless), one)
        features.add_beats(beats.tolist(), beat_times(lossless).tolist(), one)
        for count in prefixes:
            decoded = coder.decode(encoded[:, :count], record, record.sampling_rate)
            noisy = same_noise(record, decoded, seed=id_number(one.record_id))
            changed[count].add(original, measure(decoded), one)
            changed[count].add_beats(beats.tolist(), beat_times(decoded).tolist(), one)
            noised[count].add(original, measure(noisy), one)
            noised[count].add_beats(beats.tolist(), beat_times(noisy).tolist(), one)
    figures = _figures(f"{name}, features themselves, as if coded without loss: ", features, None, judged=False)
    for count in prefixes:
        figures += _figures(
            f"{name}, {coder.words(count)}: ", changed[count], noised[count], judged=count == prefixes[-1]
        )
    return Part(figures)


def _figures(label: str, changed: Changes, noised: Changes | None, *, judged: bool) -> list[Result]:
    figures: list[Result] = []

    def figure(title: str, found: Resampled | None, unit: str, bar: str | None = None, data: str = "") -> None:
        if found is not None:
            words = data or f"{changed.records} recordings"
            figures.append(Result.of(label + title, found, unit=unit, target=bar if judged else None, data=words))

    figure("F1 of R peaks within 50 ms", changed.judged("beats", _f1), "fraction", ">= 0.995")
    figure("change of heart rate, median", changed.judged("heart_rate", _quantile(0.5)), "1/min", "<= 1")
    figure("change of heart rate within 1 bpm", changed.judged("heart_rate", _share(1)), "fraction")
    for column, (title, *limits) in INTERVALS.items():
        for words, share, limit in (("median", 0.5, limits[0]), ("90th percentile", 0.9, limits[1])):
            control = None if noised is None else noised.judged(column, _quantile(share))
            bar = f"<= {max(limit, NOISE_ALLOWANCE * (control.value if control else 0.0)):.1f}"
            figure(f"change of {title}, {words}", changed.judged(column, _quantile(share)), "ms", bar)
            figure(f"change of {title} under noise of the same size, {words}", control, "ms")
        figure(f"{title} still measurable", changed.judged(f"{column} there", np.mean), "fraction")
    for column in ("R", "S"):
        figure(f"change of {column} amplitude, median", changed.judged(column, _quantile(0.5)), "mV", "<= 0.05")
    for column, title in (("st_j_mv", "ST at J"), ("st_j60_mv", "ST at J + 60 ms")):
        figure(f"change of {title}, median", changed.judged(column, _quantile(0.5)), "mV", "<= 0.02")
        figure(
            f"change of {title} within 0.05 mV", changed.judged(column, _share(0.05)), "fraction of leads", ">= 0.95"
        )
    for title in ("ST elevation", "ST depression"):
        figure(f"{title}, threshold crossed", changed.judged(title, _crossed), "fraction of leads")
    for title in ("Sokolow-Lyon", "Cornell", "low limb voltage"):
        pairs = changed.rows.get(title, [])
        where = f"{len(pairs)} recordings, {sum(int(before) for before, _ in pairs)} positive in the original"
        figure(f"{title}, kappa", changed.judged(title, _kappa), "Cohen's kappa", ">= 0.8", where)
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
            figures.append(Result(label, float(np.quantile(values, share)), unit="ms", data=data))
    return Part(figures)
