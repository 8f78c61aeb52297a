"""How often the findings speak on recordings without a finding, and how well they agree with labels.

python benchmarks/findings.py --ptbxl DIR                                  NORM of fold 8, all of fold 9
python benchmarks/findings.py --ptbxl DIR --norm 300 --labelled 1000      as the figures of docs/findings.md
python benchmarks/findings.py --ptbxl DIR --norm-folds 7 --folds 1-2 --no-results     what was chosen on

Measuring takes about half a second a recording; an interrupted run goes on where it ended (--cache).
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from hf_heartllm.ecg import STANDARD_LEADS, ECGError, measure, read_ecg
from hf_heartllm.ecg.findings import Findings, find
from hf_heartllm.ecg.measurements import Measurements
from hf_heartllm.evaluation.intervals import Bootstrap
from hf_heartllm.evaluation.results import Result, current_commit, machine_words, meets_target, write_results
from hf_heartllm.hashes import sha256_of
from hf_heartllm.labels.ptbxl import folds as read_folds
from hf_heartllm.labels.ptbxl import read_ptbxl_table, record_path

REPOSITORY = Path(__file__).resolve().parent.parent
RATE = 100  # Hz; PTB-XL has every recording at that rate
INFERIOR = {"IMI", "ILMI", "IPMI", "IPLMI"}
ANTERIOR = {"AMI", "ASMI", "ALMI"}
INFARCTION = INFERIOR | ANTERIOR | {"LMI", "PMI"}
HYPERTROPHY = {"LVH", "VCLVH"}
SEX = {0: "male", 1: "female"}

Test = Callable[[Findings], bool]


def named(*names: str, leads: Sequence[str] = ()) -> Test:
    """Whether one of these findings is there, in one of these leads."""
    return lambda found: any(one.name in names and (not leads or one.lead in leads) for one in found.findings)


def no_p_wave(found: Findings) -> bool:
    """Whether P waves are too few, or were not judged because the rhythm has none."""
    without = any(one.what.startswith("P wave") and "without P" in one.why for one in found.not_judged)
    return without or named("p_waves_few")(found)


COMPARISONS: tuple[tuple[str, set[str], Test], ...] = (
    ("rate above the range", {"STACH"}, named("heart_rate_high")),
    ("rate below the range", {"SBRAD"}, named("heart_rate_low")),
    ("RR irregular", {"AFIB"}, named("rr_irregular")),
    ("RR irregular and no P waves, or few P waves", {"AFIB", "AFLT"}, no_p_wave),
    ("premature beats", {"PVC", "PAC", "PRC(S)"}, named("premature_beats")),
    ("P wave long", {"LAO/LAE"}, named("p_long")),
    ("P wave high", {"RAO/RAE"}, named("p_high")),
    ("PR long", {"1AVB"}, named("pr_long")),
    ("QRS long", {"CLBBB", "CRBBB"}, named("qrs_long")),
    ("axis left", {"LAFB"}, named("axis_left", "axis_extreme")),
    ("axis right", {"LPFB"}, named("axis_right")),
    ("QTc long", {"LNGQT"}, named("qtc_long")),
    ("S in V1 plus R in V5 or V6 high", HYPERTROPHY, named("sokolow_lyon_high")),
    ("R in aVL plus S in V3 high", HYPERTROPHY, named("cornell_high")),
    ("R in aVL high", HYPERTROPHY, named("r_high_avl")),
    ("any of these three voltages high", HYPERTROPHY, named("sokolow_lyon_high", "cornell_high", "r_high_avl")),
    ("R in V1 high", {"RVH"}, named("r_high_v1")),
    ("QRS low in all limb or all chest leads", {"LVOLT"}, named("low_voltage_limb", "low_voltage_chest")),
    ("Q wave", INFARCTION, named("q_wave")),
    ("Q wave in II, III or aVF", INFERIOR, named("q_wave", leads=("II", "III", "aVF"))),
    ("Q wave in V1 to V6, I or aVL", ANTERIOR, named("q_wave", leads=("I", "aVL", *STANDARD_LEADS[6:]))),
    ("ST depression", {"STD_"}, named("st_depression")),
    ("ST elevation", {"STE_"}, named("st_elevation")),
    ("T wave inverted", {"INVT"}, named("t_inverted")),
    ("T wave inverted or flat", {"INVT", "TAB_", "NT_", "NDT", "LOWT"}, named("t_inverted", "t_flat")),
    ("T wave flat", {"LOWT"}, named("t_flat")),
)
"""What is compared: name, the labels that should have it, the test."""


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ptbxl", required=True, help="folder of PTB-XL")
    parser.add_argument("--norm-folds", default="8", help="of the recordings without a finding; default: 8")
    parser.add_argument("--folds", default="9", help="of the comparison with labels; default: 9")
    parser.add_argument("--norm", type=int, metavar="N", help="draw so many without a finding; default: all")
    parser.add_argument("--labelled", type=int, metavar="N", help="draw so many to compare; default: all")
    parser.add_argument("--cache", default="build/findings", help="what was measured so far; default: build/findings")
    parser.add_argument("--results", default=str(REPOSITORY / "benchmarks/results/findings.json"))
    parser.add_argument("--no-results", action="store_true", help="print only")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Measure, print the tables and write the results. Returns the exit code."""
    args = parse(argv)
    try:
        table = read_ptbxl_table(args.ptbxl)
        folds = table["strat_fold"]
        normal = draw(table[folds.isin(read_folds(args.norm_folds)) & has(table, {"NORM"})], args.norm)
        labelled = draw(table[folds.isin(read_folds(args.folds))], args.labelled)
        store = Store(Path(args.cache))
        rows: list[Result] = []
        for part, function in ((normal, silence), (labelled, agreement)):
            found = [findings_of(store, args.ptbxl, row) for _, row in tqdm(part.iterrows(), total=len(part))]
            where = f"PTB-XL fold {args.norm_folds if part is normal else args.folds}, {RATE} Hz"
            rows += list(function(part, found, where))
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    command = "python benchmarks/findings.py --ptbxl DIR"
    command += f" --norm {args.norm}" * (args.norm is not None)
    command += f" --labelled {args.labelled}" * (args.labelled is not None)
    commit, machine = current_commit(REPOSITORY), machine_words()
    rows = [replace(row.rounded(4), command=command, commit=commit, machine=machine) for row in rows]
    for row in rows:
        between = "" if row.interval is None else f"{row.interval[0]:.3f} to {row.interval[1]:.3f}"
        missed = "  MISSED" if meets_target(row) is False else ""
        print(f"{row.name:<72} {row.value:>7.3f}  {between:<16} {row.target or '':<8} {row.data}{missed}")
    if not args.no_results:
        write_results(args.results, rows)
    return 0


def has(table: Any, codes: set[str]) -> Any:
    """Which rows have one of the statements."""
    return table["scp_codes"].map(lambda stated: bool(codes & set(stated)))


def draw(table: Any, count: int | None) -> Any:
    """So many rows, the same ones in every run, and among those of any larger number; all where none is given."""
    return table.sample(frac=1, random_state=0)[:count]


class Store:
    """What was measured, one JSON line each, in a file of the measuring code's hash: an interrupted run goes on."""

    def __init__(self, folder: Path) -> None:
        room = REPOSITORY / "hf_heartllm"
        files = [*sorted((room / "ecg/measurements").glob("*.py")), room / "ecg/beats.py", room / "ecg/quality.py"]
        self.path = folder / f"{sha256_of(b''.join(path.read_bytes() for path in files))[:12]}.jsonl"
        folder.mkdir(parents=True, exist_ok=True)
        self.known: dict[str, dict[str, Any]] = {}
        if self.path.is_file():
            for line in self.path.read_text(encoding="utf-8").split("\n")[:-1]:  # a line without its end is not whole
                key, measured = json.loads(line)
                self.known[key] = measured

    def get(self, key: str, path: Path) -> Measurements:
        """The measurements of a recording; none of one that is too short or slow."""
        if key not in self.known:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # they stand in the measurements
                    measured = measure(read_ecg(path))
            except ECGError:
                measured = Measurements.from_columns({})
            self.known[key] = {
                "columns": measured.as_columns(),
                "reasons": measured.reasons,
                "warnings": list(measured.warnings),
            }
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps([key, self.known[key]]) + "\n")
        found = self.known[key]
        measured = Measurements.from_columns(found["columns"])
        return replace(measured, reasons=found["reasons"], warnings=tuple(found["warnings"]))


def findings_of(store: Store, folder: str, row: Any) -> Findings:
    """The findings of a row of PTB-XL's table, from its signal, sex and age alone."""
    measured = store.get(f"{row['ecg_id']} {RATE}", Path(folder) / record_path(row, RATE))
    age = None if row["age"] != row["age"] else float(row["age"])
    return find(measured, sex=SEX.get(row["sex"]), age=age)


def silence(table: Any, found: Sequence[Findings], where: str) -> Iterator[Result]:
    """Shares of leads, and of recordings, of which nothing is said."""
    bootstrap = Bootstrap(table["patient_id"].to_numpy())
    data = f"{where}, NORM; n {len(table)}"
    said = np.array([[bool(text) for text in one.by_lead.values()] for one in found])
    general = np.array([any(item.lead is None for item in one.findings) for one in found])
    doubtful = np.array([any(item.doubtful for item in one.findings) for one in found])
    shares = {"all leads": (~said).mean(axis=1), **dict(zip(STANDARD_LEADS, (~said).T, strict=True))}
    shares |= {"every lead of a recording": ~said.any(axis=1), "the whole recording": ~general}
    for what, silent in shares.items():
        target = ">= 0.9" if what == "all leads" else None
        yield Result.of(f"findings: silent on NORM, {what}", bootstrap.mean(silent), target=target, data=data)
    yield Result.of("findings: doubtful on NORM", bootstrap.mean(doubtful), data=data)


def agreement(table: Any, found: Sequence[Findings], where: str) -> Iterator[Result]:
    """Sensitivity and specificity of each finding against the labels that should have it."""
    patients = table["patient_id"].to_numpy()
    for name, codes, test in COMPARISONS:
        spoken = np.array([test(one) for one in found])
        labelled = has(table, codes).to_numpy(dtype=bool)
        what = f"findings: {name} against {', '.join(sorted(codes))}"
        for side, rows, agrees in (("sensitivity", labelled, spoken), ("specificity", ~labelled, ~spoken)):
            if rows.any():
                value = Bootstrap(patients[rows]).mean(agrees[rows])
                yield Result.of(f"{what}, {side}", value, data=f"{where}; n {int(rows.sum())}")


if __name__ == "__main__":
    from hf_heartllm.interrupts import run_interruptible

    sys.exit(run_interruptible(main, "findings"))
