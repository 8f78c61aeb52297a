"""What the metrics give without any model: majority answers on ECG-QA, and PTB-XL's own reports against its labels.

    python benchmarks/evaluation_baselines.py --ptbxl DIR --ecg-qa DIR --results benchmarks/results/evaluation.json

The first is what a model that reads ECGs must beat. The second is the ceiling of the findings of a report:
cardiologists labelled PTB-XL, but not from the words of its reports alone.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from hf_heartllm.evaluation.answers import EXACT, MACRO_F1
from hf_heartllm.evaluation.findings import LEVELS, finding_metrics
from hf_heartllm.evaluation.intervals import Bootstrap, Interval
from hf_heartllm.evaluation.priors import read_copy, score_priors, split_by_fold
from hf_heartllm.evaluation.report_metrics import Reports
from hf_heartllm.evaluation.results import Result, current_commit, machine_words, write_results
from hf_heartllm.labels.english_reports import translate_report
from hf_heartllm.labels.ptbxl import read_ptbxl_table

TRAIN_FOLDS, TEST_FOLD = range(1, 9), 9
Measured = tuple[str, Interval, str]
"""Name, value with its interval, and what it was measured on."""


def prior_figures(ecg_qa: Path, ptbxl: Path) -> Iterator[Measured]:
    """Exact match of the majority answers, by ECG-QA's own splits and by fold."""
    copy = read_copy(ecg_qa, ptbxl)
    official = tuple([row for row in copy.rows if row.split == split] for split in ("train", "test"))
    by_fold = split_by_fold(copy.rows, copy.records or {}, TRAIN_FOLDS, (TEST_FOLD,))
    for split, (train, test) in (("official test split", official), ("fold 9", by_fold)):
        for score in score_priors(train, test, records=copy.records, closed_sets=copy.closed_sets):
            if score.figures is None:
                continue
            name = f"majority answer per {score.prior}, {score.question_type}, {split}"
            data = f"{score.test_rows} questions, {score.train_rows} to train on; ECG-QA: {copy.complete}"
            for metric, words in ((EXACT, "exact match"), (MACRO_F1, "macro-F1")):
                yield f"{name}, {words}", score.figures[metric.name], data


def report_figures(ptbxl: Path) -> Iterator[Measured]:
    """The findings of fold 9's own reports, translated, against the labels."""
    table = read_ptbxl_table(ptbxl)
    table = table[(table["strat_fold"] == TEST_FOLD) & table["report"].notna()]
    table = table[table["report"].str.strip() != ""]
    reports = [translate_report(report).text for report in table["report"]]
    labels = [list(codes) for codes in table["scp_codes"]]
    data = f"{len(reports)} records of fold 9 with a report; no fair sample of PTB-XL"
    bootstrap = Bootstrap(table["patient_id"].astype(str))
    written = Reports(reports, reports, labels)
    for level in LEVELS:
        metrics = finding_metrics(level)
        for metric in ("precision", "recall", "f1", "reports_with_hallucination"):
            name = f"the record's own report, findings, {metric.replace('_', ' ')} ({level})"
            yield name, metrics[metric].measure(written, bootstrap).interval(), data


def main(argv: list[str] | None = None) -> int:
    """Measure, print, and write the figures. Returns the exit code: 2 for bad input, with one line on stderr."""
    parser = argparse.ArgumentParser(prog="python benchmarks/evaluation_baselines.py", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--ptbxl", required=True, type=Path, help="folder of PTB-XL 1.0.x")
    parser.add_argument("--ecg-qa", required=True, type=Path, help="folder of ECG-QA")
    parser.add_argument("--results", type=Path, help="results file to write the figures into")
    args = parser.parse_args(argv)
    try:
        found = [*prior_figures(args.ecg_qa, args.ptbxl), *report_figures(args.ptbxl)]
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for name, interval, data in found:
        print(f"{interval.value:.4f} [{interval.low:.4f}, {interval.high:.4f}]  {name}: {data}")
    if args.results is not None:
        command = "python benchmarks/evaluation_baselines.py --ptbxl DIR --ecg-qa DIR"
        commit, machine = current_commit(), machine_words()
        facts = {"command": command, "commit": commit, "machine": machine}
        rows = [Result.of(f"baselines: {name}", one, data=data, **facts).rounded(4) for name, one, data in found]
        write_results(args.results, rows)
    return 0


if __name__ == "__main__":
    from hf_heartllm.interrupts import run_interruptible

    sys.exit(run_interruptible(main, "evaluation_baselines"))
