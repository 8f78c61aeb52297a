"""How good the measurements are: against the simulator's truth, under noise, at two rates, and on labelled recordings.

python benchmarks/measurements.py --ptbxl DIR
python benchmarks/measurements.py --ptbxl DIR --folds 7-8 --no-results     what constants were chosen on
python benchmarks/measurements.py --ptbxl DIR --time-only                  seconds a record, on an idle machine
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hf_heartllm.ecg import EXAMPLES, ECGError, ECGRecord, read_ecg, simulate_ecg
from hf_heartllm.ecg.measurements import measure
from hf_heartllm.evaluation.results import Result, current_commit, machine_words, write_results
from hf_heartllm.hashes import sha256_of
from hf_heartllm.labels.ptbxl import folds as read_folds
from hf_heartllm.labels.ptbxl import read_ptbxl_table, record_path

REPOSITORY = Path(__file__).resolve().parent.parent
COMMAND = "python benchmarks/measurements.py --ptbxl DIR"
RATES = (500, 100)
SEEDS = (101, 102, 103)
CONDITIONS = ("1AVB", "AFIB", "CLBBB", "CRBBB", "LNGQT", "STACH", "SBRAD")
LEFT, RIGHT = ("ALAD", "AXL"), ("RAD", "ARAD", "AXR")  # heart_axis: left beyond -30 degrees, right beyond 90
NO_NORMAL_PR = {"1AVB", "2AVB", "3AVB", "LPR", "WPW", "AFIB", "AFLT", "PACE"}
WAVES = {"p": "P", "r": "R", "s": "Q or S", "t": "T", "j": "ST at J", "j60": "ST at J + 60 ms"}
MEASURING = ("ecg/beats.py", "ecg/quality.py", "models/ecg_resample.py", "models/ecg_leads.py")
Found = dict[str, Any]


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ptbxl", help="folder of PTB-XL; without it only simulated recordings are measured")
    parser.add_argument("--folds", default="9", help="default: 9")
    parser.add_argument("--norm", type=int, default=400, help="NORM records drawn per fold; default: 400")
    parser.add_argument("--parts", default="build/measurements", help="what was measured so far, for resuming")
    parser.add_argument("--time-only", action="store_true", help="only measure how long a record takes")
    parser.add_argument("--results", default=str(REPOSITORY / "benchmarks/results/datasets.json"))
    parser.add_argument("--no-results", action="store_true", help="print only")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Measure, print the tables and write the results. Returns the exit code."""
    args = parse(argv)
    store = Store(Path(args.parts))
    commit, machine = current_commit(REPOSITORY), machine_words()
    rows: list[Result] = []

    def row(name: str, value: float, bar: str | None, unit: str, data: str) -> None:
        value = float(round(value, 4))
        print(f"{name:<64} {value:>10.4g} {unit:<9} {bar or '':<9} {data}")
        rows.append(Result(f"measurements: {name}", value, None, bar, unit, data, COMMAND, commit, machine))

    try:
        if not args.time_only:
            simulated(store, row)
        if args.ptbxl:
            table = read_ptbxl_table(args.ptbxl)
            table = table[table["strat_fold"].isin(read_folds(args.folds))]
            where = f"PTB-XL fold {args.folds}"
            if not args.time_only:
                repeatability(store, row, args.ptbxl, table, where)
                labelled(store, row, args.ptbxl, table, args.norm, where)
            timing(row, args.ptbxl, table, where)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if not args.no_results:
        write_results(args.results, rows)
    return 0


Row = Callable[[str, float, str | None, str, str], None]


class Store:
    """What was measured, one JSON line each, in a file of the measuring code's hash: an interrupted run goes on."""

    def __init__(self, folder: Path) -> None:
        rooms = [REPOSITORY / "hf_heartllm/ecg" / name for name in ("measurements", "simulate")]
        files = [path for room in rooms for path in sorted(room.glob("*.py"))]
        files += [REPOSITORY / "hf_heartllm" / name for name in MEASURING]
        digest = sha256_of(b"".join(path.read_bytes() for path in files))[:12]
        self.path = folder / f"{digest}.jsonl"
        folder.mkdir(parents=True, exist_ok=True)
        self.known: dict[str, Found] = {}
        if self.path.is_file():
            for line in self.path.read_text(encoding="utf-8").split("\n")[:-1]:  # a line without its end is not whole
                key, found = json.loads(line)
                self.known[key] = found

    def get(self, key: str, record: Callable[[], ECGRecord]) -> Found:
        """The columns of a recording."""
        if key not in self.known:
            ecg = record()
            try:
                columns: Found = dict(measure(ecg).as_columns())
            except ECGError as error:
                columns = {"error": str(error)}
            self.known[key] = columns
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps([key, self.known[key]]) + "\n")
        return self.known[key]


def numbers(found: Iterable[Found], name: str) -> np.ndarray:
    """The values of a column that are known."""
    return np.array([value[name] for value in found if value.get(name) is not None], dtype=float)


def simulated(store: Store, row: Row) -> None:
    """Errors against the simulator's truth."""
    print("\nerrors on simulated recordings (measured minus true)")
    for rate in RATES:
        errors: dict[str, list[float]] = {}
        count = 0
        for name, arguments in EXAMPLES.items():
            for seed in SEEDS:
                record, truth = simulate_ecg(**{**arguments, "seed": seed, "sampling_rate": rate})
                found = store.get(f"simulated {name} {seed} {rate}", lambda record=record: record)  # type: ignore[misc]
                count += 1
                for column, true in (("pr_ms", truth.pr), ("qrs_ms", truth.qrs), ("qt_ms", truth.qt)):
                    if true is not None and found[column] is not None:
                        errors.setdefault(column, []).append(found[column] - true)
                if found["axis_deg"] is not None:
                    errors.setdefault("axis_deg", []).append((found["axis_deg"] - truth.axis + 180) % 360 - 180)
                for wave, error in amplitude_errors(found, truth.amplitudes):
                    errors.setdefault(wave, []).append(error)
        data = f"{count} simulated recordings, {len(EXAMPLES)} conditions, {rate} Hz"
        names = {"pr_ms": ("PR", "ms"), "qrs_ms": ("QRS", "ms"), "qt_ms": ("QT", "ms"), "axis_deg": ("axis", "degrees")}
        for column, (what, unit) in names.items():
            spread(row, f"simulated, {rate} Hz: {what} error", np.array(errors[column]), unit, data)
        for wave, what in WAVES.items():
            spread(row, f"simulated, {rate} Hz: {what} error", np.array(errors[wave]), "mV", data)


def amplitude_errors(found: Found, truth: dict[str, dict[str, float]]) -> Iterator[tuple[str, float]]:
    """Wave and error in mV of each lead; the highest and the lowest deflection of QRS whatever their letters."""
    for lead, true in truth.items():
        got = {name: found[f"{lead}_{name}_mv"] for name in ("p", "q", "r", "s", "r_prime", "t", "st_j", "st_j60")}
        if got["r"] is not None:
            yield "r", max(got["r"], got["r_prime"]) - true["r"]
            yield "s", min(got["q"], got["s"]) - min(true["q"], true["s"])
            yield "j", got["st_j"] - true["j"]
            yield "j60", got["st_j60"] - true["j60"]
        for wave in ("p", "t"):
            if got[wave] is not None and wave in true:
                yield wave, got[wave] - true[wave]


def inverse(test: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    """True where the test is false."""
    return lambda values: ~test(values)


def spread(row: Row, what: str, errors: np.ndarray, unit: str, data: str) -> None:
    """Bias, median and 90th percentile."""
    data = f"{data}, n {len(errors)}"
    row(f"{what}, median", float(np.median(errors)), None, unit, data)
    row(f"{what}, median of the absolute", float(np.median(np.abs(errors))), None, unit, data)
    row(f"{what}, 90th percentile of the absolute", float(np.percentile(np.abs(errors), 90)), None, unit, data)


def repeatability(store: Store, row: Row, folder: str, table: Any, where: str) -> None:
    """Changes under added white noise, and from 500 to 100 Hz."""
    print("\nchanges of one recording")
    bars = {("10 µV", "pr_ms"): (1, 4), ("10 µV", "qrs_ms"): (0, 2), ("10 µV", "qt_ms"): (1.5, 4)}
    ids = [int(i) for i in table["ecg_id"] if (Path(folder) / (record_path(table.loc[i], 500) + ".hea")).is_file()]
    pairs: dict[str, list[tuple[Found, Found]]] = {"10 µV": [], "20 µV": [], "500 to 100 Hz": []}
    for ecg_id in ids:
        path = Path(folder) / record_path(table.loc[ecg_id], 500)
        plain = store.get(f"{ecg_id} 500", lambda path=path: read_ecg(path))  # type: ignore[misc]
        for size, what in ((0.01, "10 µV"), (0.02, "20 µV")):

            def noisy(path: Path = path, size: float = size, seed: int = ecg_id) -> ECGRecord:
                record = read_ecg(path)
                added = np.random.default_rng(seed).normal(0, size, record.signal.shape)
                return replace(record, signal=record.signal + added)

            pairs[what].append((plain, store.get(f"{ecg_id} 500 {what}", noisy)))
        slow = Path(folder) / record_path(table.loc[ecg_id], 100)
        pairs["500 to 100 Hz"].append((plain, store.get(f"{ecg_id} 100", lambda slow=slow: read_ecg(slow))))  # type: ignore[misc]
    for what, measured in pairs.items():
        for column, name in (("pr_ms", "PR"), ("qrs_ms", "QRS"), ("qt_ms", "QT")):
            both = [(a[column], b[column]) for a, b in measured]
            changes = np.array([abs(a - b) for a, b in both if a is not None and b is not None])
            lost = sum((a is None) != (b is None) for a, b in both)
            data = f"{where}, {len(both)} records at 500 Hz, n {len(changes)}; measured in one of the two only: {lost}"
            bar = bars.get((what, column))
            case = f"change from {what}" if what.startswith("500") else f"change under {what} of noise"
            row(f"{name} {case}, median", np.median(changes), bar and f"<= {bar[0]}", "ms", data)
            row(f"{name} {case}, 90th percentile", np.percentile(changes, 90), bar and f"<= {bar[1]}", "ms", data)


def labelled(store: Store, row: Row, folder: str, table: Any, per_fold: int, where: str) -> None:
    """What labels imply."""
    print("\nlabelled recordings at 100 Hz")
    drawn: set[int] = set()
    for fold, rows in table.groupby("strat_fold"):
        normal = [int(i) for i, codes in zip(rows["ecg_id"], rows["scp_codes"]) if "NORM" in codes]
        drawn |= set(random.Random(int(fold)).sample(normal, min(per_fold, len(normal))))
    groups: dict[str, list[Found]] = {}
    for ecg_id, codes, axis in zip(table["ecg_id"], table["scp_codes"], table["heart_axis"]):
        memberships = [code for code in CONDITIONS if code in codes]
        if int(ecg_id) in drawn:
            memberships.append("NORM")
            if not NO_NORMAL_PR & set(codes):
                memberships.append("NORM, PR")
        memberships += ["left"] * (axis in LEFT) + ["right"] * (axis in RIGHT)
        if axis == "MID" and int(ecg_id) in drawn:
            memberships.append("MID")
        if not memberships:
            continue
        path = Path(folder) / record_path(table.loc[ecg_id], 100)
        found = store.get(f"{ecg_id} 100", lambda path=path: read_ecg(path))  # type: ignore[misc]
        for group in memberships:
            groups.setdefault(group, []).append(found)

    def share(name: str, group: str, column: str, test: Callable[[np.ndarray], np.ndarray], bar: str | None) -> None:
        values = numbers(groups[group], column)
        data = f"{where}, 100 Hz, {group}: n {len(groups[group])}, measured {len(values)}"
        row(name, float(test(values).mean()), bar, "fraction", data)

    def auc(name: str, positive: str, negative: str, column: str, bar: str | None) -> None:
        from sklearn.metrics import roc_auc_score

        yes, no = numbers(groups[positive], column), numbers(groups[negative], column)
        data = f"{where}, 100 Hz, {positive}: n {len(groups[positive])}, measured {len(yes)}; "
        data += f"{negative}: n {len(groups[negative])}, measured {len(no)}"
        labels = np.r_[np.ones(len(yes)), np.zeros(len(no))]
        row(name, float(roc_auc_score(labels, np.r_[yes, no])), bar, "AUROC", data)

    share("QRS at least 120 ms in CLBBB", "CLBBB", "qrs_ms", lambda v: v >= 120, ">= 0.97")
    share("QRS at least 120 ms in CRBBB", "CRBBB", "qrs_ms", lambda v: v >= 120, ">= 0.95")
    share("QRS at least 120 ms in NORM", "NORM", "qrs_ms", lambda v: v >= 120, "<= 0.01")
    auc(
        "PR of 1AVB against NORM without a statement on conduction to the ventricles",
        "1AVB",
        "NORM, PR",
        "pr_ms",
        ">= 0.95",
    )
    auc("PR of 1AVB against all NORM", "1AVB", "NORM", "pr_ms", None)
    share("beats with a P wave in NORM", "NORM", "p_share", lambda v: v, ">= 0.95")
    share("beats with a P wave in AFIB", "AFIB", "p_share", lambda v: v, "<= 0.2")
    auc("QTc (Bazett) of LNGQT against NORM", "LNGQT", "NORM", "qtc_bazett_ms", None)
    auc("irregularity of RR of AFIB against NORM", "AFIB", "NORM", "rr_irregularity", None)
    table_of = [
        ("1AVB by PR > 200 ms", "1AVB", "NORM, PR", "pr_ms", lambda v: v > 200),
        ("AFIB by P waves before less than half of the beats", "AFIB", "NORM", "p_share", lambda v: v < 0.5),
        ("AFIB by irregularity of RR > 0.08", "AFIB", "NORM", "rr_irregularity", lambda v: v > 0.08),
        ("STACH by rate > 100/min", "STACH", "NORM", "heart_rate", lambda v: v > 100),
        ("SBRAD by rate < 60/min", "SBRAD", "NORM", "heart_rate", lambda v: v < 60),
        ("LNGQT by QTc (Bazett) > 460 ms", "LNGQT", "NORM", "qtc_bazett_ms", lambda v: v > 460),
        ("heart_axis left (ALAD, AXL) by axis < -30", "left", "MID", "axis_deg", lambda v: v < -30),
        ("heart_axis right (RAD, ARAD, AXR) by axis > 90", "right", "MID", "axis_deg", lambda v: v > 90),
        ("CLBBB by QRS >= 120 ms", "CLBBB", "NORM", "qrs_ms", lambda v: v >= 120),
        ("CRBBB by QRS >= 120 ms", "CRBBB", "NORM", "qrs_ms", lambda v: v >= 120),
    ]
    for name, positive, negative, column, test in table_of:
        share(f"{name}, sensitivity", positive, column, test, None)
        share(f"{name}, specificity ({negative})", negative, column, inverse(test), None)
    for column, name, unit in (
        ("pr_ms", "PR", "ms"),
        ("qrs_ms", "QRS", "ms"),
        ("qtc_fridericia_ms", "QTc (Fridericia)", "ms"),
    ):
        values = numbers(groups["NORM"], column)
        for part in (5, 50, 95):
            row(
                f"{name} in NORM, {part}th percentile",
                np.percentile(values, part),
                None,
                unit,
                f"{where}, n {len(values)}",
            )


def timing(row: Row, folder: str, table: Any, where: str) -> None:
    """Seconds of processor time a record, beside whatever else the machine does."""
    print("\ntime")
    paths = [Path(folder) / record_path(table.loc[ecg_id], 100) for ecg_id in table["ecg_id"][:21]]
    records = [read_ecg(path) for path in paths]
    measure(records[0])  # loads the network
    seconds = []
    for record in records[1:]:
        start = time.process_time()
        measure(record)
        seconds.append(time.process_time() - start)
    busy = f"{where}, 100 Hz, n {len(seconds)}; load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    row("seconds a record, one core, median", float(np.median(seconds)), "<= 0.2", "s", busy)


if __name__ == "__main__":
    from hf_heartllm.interrupts import run_interruptible

    sys.exit(run_interruptible(main, "measurements"))
