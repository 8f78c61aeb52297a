"""What the checks of recordings catch, how often they speak of good ones, and what they cost.

python benchmarks/robustness_checks.py --ptbxl DIR         writes benchmarks/results/robustness.json (some ten minutes)
python benchmarks/robustness_checks.py --ptbxl DIR --fit   prints the rules of models/ecg_reversals.py, fitted anew
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from recording_faults import RATE, Signal, faults, no_ecg  # type: ignore[import-not-found]  # beside this file

import hf_heartllm as hl
from hf_heartllm.evaluation.results import Result, current_commit, machine_words, write_results
from hf_heartllm.labels.ptbxl import read_ptbxl_table, record_path
from hf_heartllm.models.ecg_checks import Finding, check_record
from hf_heartllm.models.ecg_leads import INDEPENDENT_LEADS, STANDARD_LEADS
from hf_heartllm.models.ecg_record import ECGRecord
from hf_heartllm.models.ecg_reversals import wave_features
from hf_heartllm.models.ecg_rough_beats import rough_beats

REPOSITORY = Path(__file__).resolve().parent.parent
RESULTS = REPOSITORY / "benchmarks/results/robustness.json"
COMMAND = "python benchmarks/robustness_checks.py --ptbxl DIR"
FOLDS = {"folds 1-8": range(1, 9), "fold 9": range(9, 10)}
CHECKS = (
    "no_ecg", "flat_lead", "saturated_lead", "noise_lead", "constant_stretch", "copied_leads", "limb_leads",
    "arms_swapped", "arm_leg_swapped", "upside_down", "chest_leads_reversed", "v1_v6_swapped", "amplitude",
)  # fmt: skip
REVERSALS = ("arms_swapped", "arm_leg_swapped", "upside_down", "chest_leads_reversed", "v1_v6_swapped")
FAULTY = {8: "fold 8", 9: "fold 9"}  # faults were developed on the first


def read(path: Path) -> Signal:
    """One 100 Hz recording of PTB-XL in mV, the leads in standard order."""
    return np.fromfile(path.with_suffix(".dat"), "<i2").reshape(-1, 12).T.astype(np.float32) / 1000


def found_in(signal: Signal) -> tuple[Finding, ...]:
    """What the checks find in a 12-lead signal at 100 Hz."""
    return check_record(ECGRecord(signal, RATE, STANDARD_LEADS)).findings


def wilson(hits: int, count: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson, J. Am. Stat. Assoc. 22, 209, 1927)."""
    z, share = 1.959964, hits / count
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return max(0.0, round(float(middle - half), 9)), min(1.0, round(float(middle + half), 9))


class Rows:
    """The rows of the results file, of one run."""

    def __init__(self) -> None:
        self.rows: list[Result] = []
        self.commit, self.machine = current_commit(REPOSITORY), machine_words()

    def add(
        self, name: str, value: float, unit: str, data: str, interval: tuple[float, float] | None, bar: str | None
    ) -> None:
        """Add one, and print it."""
        print(f"{name}: {value:.4f} {interval or ''} {data}", flush=True)
        self.rows.append(Result(name, value, interval, bar, unit, data, COMMAND, self.commit, self.machine))

    def share(self, name: str, hits: int, count: int, data: str, bar: str | None) -> None:
        """Add a share with its interval."""
        low, high = wilson(hits, count)
        self.add(name, 100 * hits / count, "%", f"{data}, {hits} of {count:,}", (100 * low, 100 * high), bar)


def false_alarms(rows: Rows, folder: Path, table: object) -> None:
    """How often each check speaks of the recordings as they are."""
    for words, folds in FOLDS.items():
        paths = [folder / record_path(row, 100) for row in of_folds(table, folds)]
        spoken: Counter[str] = Counter()
        lost = 0
        for path in paths:
            findings = found_in(read(path))
            spoken.update({finding.check for finding in findings})
            lost += any(finding.fatal for finding in findings)
        for check in CHECKS:
            rows.share(f"speaks: {check}, {words}", spoken[check], len(paths), f"PTB-XL, {words}", "<= 0.1")
        rows.share(f"speaks: no answer is given, {words}", lost, len(paths), f"PTB-XL, {words}", "<= 0.1")


def detections(rows: Rows, folder: Path, table: object, number: int) -> None:
    """How often a made fault is found."""
    for fold, words in FAULTY.items():
        rng = np.random.default_rng(fold)
        paths = [folder / record_path(row, 100) for row in of_folds(table, [fold])]
        chosen = rng.choice(len(paths), size=min(number, len(paths)), replace=False)
        caught: Counter[str] = Counter()
        expected: dict[str, str] = {}
        for place in chosen:
            ecg = read(paths[place])
            for name, signal in no_ecg(ecg, rng).items():
                expected[name] = "no_ecg"
                caught[name] += any(finding.fatal for finding in found_in(signal))
            for name, (check, signal) in faults(ecg, rng).items():
                expected[name] = check
                caught[name] += any(finding.check == check for finding in found_in(signal))
        for name, check in expected.items():
            bar = ">= 99" if check == "no_ecg" else None
            rows.share(f"caught: {name} ({check}), {words}", caught[name], len(chosen), f"PTB-XL, {words}", bar)


def cost(rows: Rows) -> None:
    """Processor time on the simulated examples at 500 Hz."""
    tokenizer = hl.ECGTokenizer.from_pretrained(str(hl.checkpoint()))
    record = hl.read_ecg("example:af")

    def median(call: object) -> float:
        times = []
        for _ in range(60):
            start = time.thread_time()
            call()  # type: ignore[operator]
            times.append(time.thread_time() - start)
        return float(np.median(times)) * 1e3

    tokenizer.encode_ecg(record)
    check, encode = median(lambda: check_record(record)), median(lambda: tokenizer.encode_ecg(record, check=False))
    data = "simulated, 10 s, 12 leads, 500 Hz; one core"
    rows.add("cost: checks of a recording", check, "ms", data, None, "<= 5")
    rows.add("cost: checks of a recording against its encoding", check / encode, "times", data, None, None)


def fit(folder: Path, table: object) -> str:
    """The rules of `models/ecg_reversals.py`: fitted on folds 1 to 7, bounds from folds 1 to 8."""
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    features: list[np.ndarray] = []
    turned: dict[str, list[np.ndarray]] = {name: [] for name in REVERSALS}
    folds = []
    order = [STANDARD_LEADS.index(name) for name in INDEPENDENT_LEADS]
    for row in of_folds(table, range(1, 9)):
        beats = rough_beats(read(folder / record_path(row, 100)), RATE)
        if beats is None or not len(beats.positions):
            continue
        folds.append(int(row["strat_fold"]))
        features.append(wave_features(beats.beat[order]))
        for check, beat in faults(beats.beat, rng).values():
            if check in turned:
                turned[check].append(wave_features(beat[order]))
    right, training, text = np.array(features), np.array(folds) <= 7, ""
    for name, others in turned.items():
        wrong = np.array(others)
        labels = np.repeat([0, 1], training.sum())
        kept = np.ones(len(labels), bool)
        for _ in range(2):  # the second time without the few that look reversed already
            both = np.concatenate([right[training], wrong[training]])
            model = LogisticRegression(C=0.3, max_iter=2000).fit(both[kept], labels[kept])
            looks = model.decision_function(right[training])
            kept = np.tile(looks < np.quantile(looks, 0.997), 2)
        weights = np.round(model.coef_[0], 1)
        bound = float(np.ceil(np.sort(right @ weights)[::-1][14] * 10) / 10)
        text += f"{name}: {bound:.1f}\n{weights.reshape(5, 8)}\n"
    return text


def of_folds(table: Any, folds: Iterable[int]) -> list[dict[str, Any]]:
    """The rows of these folds."""
    chosen = table[table["strat_fold"].isin(list(folds))]
    return list(chosen.to_dict("records"))


def main(argv: list[str] | None = None) -> int:
    """Measure and write, or fit and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ptbxl", required=True, help="folder of PTB-XL")
    parser.add_argument("--number", type=int, default=250, help="recordings that faults are made in, a fold")
    parser.add_argument("--fit", action="store_true", help="only fit the rules for interchanged electrodes, and print")
    args = parser.parse_args(argv)
    folder = Path(args.ptbxl)
    table = read_ptbxl_table(folder)
    if args.fit:
        print(fit(folder, table))
        return 0
    rows = Rows()
    cost(rows)
    detections(rows, folder, table, args.number)
    false_alarms(rows, folder, table)
    write_results(RESULTS, rows.rows)
    return 0


if __name__ == "__main__":
    from hf_heartllm.interrupts import run_interruptible

    sys.exit(run_interruptible(main, "robustness_checks"))
