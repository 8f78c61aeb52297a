"""What the operating points of a checkpoint are worth on patients they were not chosen on.

    python benchmarks/operating_points.py --ptbxl DIR

Asks every record of fold 9 for every statement, answers at the points of `calibration.json`, and writes sensitivity,
specificity and AUROC of each statement, how many records have no rhythm, and how true the probabilities are.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from hf_heartllm.data.sources import open_records
from hf_heartllm.evaluation.answering import asker_of
from hf_heartllm.evaluation.confidence import expected_calibration_error
from hf_heartllm.evaluation.intervals import Bootstrap
from hf_heartllm.evaluation.people import patient_numbers
from hf_heartllm.evaluation.provenance import Checkpoint
from hf_heartllm.evaluation.results import Result, current_commit, machine_words, write_results
from hf_heartllm.inference import load_answerer
from hf_heartllm.labels.ptbxl import folds
from hf_heartllm.models.answer_calibration import AnswerCalibration, read_calibration
from hf_heartllm.models.operating_points import logit
from hf_heartllm.models.pipeline_ecg import default_checkpoint
from hf_heartllm.training.operating_points import (
    StatementMargins,
    answers_at,
    points_of,
    probabilities,
)
from hf_heartllm.training.statement_margins import statement_margins

REPOSITORY = Path(__file__).resolve().parent.parent
MIN_POSITIVES = 20  # recordings with a statement for a row of its own
SURE = 0.97  # a probability that is called sure


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ptbxl", required=True, type=Path, help="folder of PTB-XL 1.0.x")
    parser.add_argument("--model", type=Path, help="checkpoint folder (default: the embedded one)")
    parser.add_argument("--folds", type=folds, default=folds("9"), help="default: 9")
    parser.add_argument("--tokens", type=Path, help="codes of the records, made with the checkpoint's codec")
    parser.add_argument("--parts", type=Path, default=Path("build/operating-points"), help="partial results")
    parser.add_argument("--results", type=Path, default=REPOSITORY / "benchmarks/results/robustness.json")
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--max-records", type=int, help="only the first records; nothing is written")
    return parser.parse_args(argv)


Figure = tuple[str, float, tuple[float, float] | None, str, str]
"""Name, value, interval, bar or empty, and on what."""


def figures(asked: StatementMargins, calibration: AnswerCalibration, resamples: int) -> list[Figure]:
    """All figures of a calibration on some records."""
    found: list[Figure] = []
    statements = asked.statements
    rhythms = [asked.column(name) for name in calibration.one_of]
    yes = answers_at(asked, points_of(statements), rhythms)
    of = {one.attribute: one for one in statements}
    p = probabilities(asked, of)
    likelier = p >= 0.5
    patients = patient_numbers(asked.patients.tolist())

    def share(name: str, right: np.ndarray, rows: np.ndarray, bar: str = "") -> None:
        interval = Bootstrap(patients[rows], resamples=resamples).mean(right[rows]).interval()
        words = f"{int(rows.sum())} recordings, {len(set(patients[rows].tolist()))} patients"
        found.append((name, interval.value, (interval.low, interval.high), bar, words))

    for column, one in enumerate(statements):
        stated = asked.stated[:, column]
        if one.point is None or stated.sum() < MIN_POSITIVES:
            continue
        name = f"operating points: {one.attribute} ({one.phrases[0]})"
        share(f"{name}, sensitivity", yes[:, column], stated)
        share(f"{name}, specificity", ~yes[:, column], ~stated)
        share(f"{name}, sensitivity of the likelier answer at the prevalence", likelier[:, column], stated)
        area = Bootstrap(patients, resamples=resamples).auroc(stated, asked.margins[:, column]).interval()
        words = f"{len(stated)} recordings, {int(stated.sum())} with the finding"
        found.append((f"{name}, AUROC", area.value, (area.low, area.high), "", words))
        error = expected_calibration_error(p[:, column], stated.astype(float))
        found.append((f"{name}, calibration error of p(yes)", float(error), None, "", words))
        before = _at_temperature(asked.margins[:, column], one.prevalence, calibration)
        error = expected_calibration_error(before, stated.astype(float))
        found.append((f"{name}, calibration error of p(yes) with a temperature alone", float(error), None, "", words))
    everyone = np.ones(len(yes), dtype=bool)
    none, none_before = (np.all(~one[:, rhythms], axis=1) for one in (yes, likelier))
    share("operating points: recordings with no for every rhythm", none, everyone, "<= 0")
    share("operating points: recordings with no for every rhythm, likelier answers", none_before, everyone)
    judged = [one.point is not None and asked.stated[:, c].sum() >= MIN_POSITIVES for c, one in enumerate(statements)]
    sure = (np.maximum(p, 1 - p) >= SURE) & np.array(judged)
    right = np.where(likelier, asked.stated, ~asked.stated).astype(float)
    who = patients[np.nonzero(sure)[0]]
    for words, values in (("said", np.maximum(p, 1 - p)), ("true", right)):
        interval = Bootstrap(who, resamples=resamples).mean(values[sure]).interval()
        name = f"operating points: answers with a probability of {SURE} or more, {words}"
        found.append((name, interval.value, (interval.low, interval.high), "", f"{int(sure.sum())} answers"))
    return found


def _at_temperature(margins: np.ndarray, prevalence: float, calibration: AnswerCalibration) -> np.ndarray:
    assert calibration.natural_temperature is not None
    assert calibration.yes_share is not None
    odds = margins / calibration.natural_temperature + logit(prevalence) - logit(calibration.yes_share)
    return np.asarray(1 / (1 + np.exp(-np.clip(odds, -500, 500))))


def main(argv: list[str] | None = None) -> int:
    """Measure, print and write. Returns the exit code."""
    args = parse(argv)
    source = args.model or default_checkpoint()
    calibration = read_calibration(source)
    if calibration is None or not calibration.one_of:
        print(f"error: {source}: no calibration.json with operating points (training/calibrate.py)", file=sys.stderr)
        return 2
    checkpoint = Checkpoint(load_answerer(source), "")
    records = [record for record in open_records(args.ptbxl) if record.fold in args.folds][: args.max_records]
    asker = asker_of(checkpoint, args.tokens, "records at 100 Hz", args.parts)
    asked = statement_margins(asker, records, calibration.statements)
    found = figures(asked, calibration, args.resamples)
    fold_words = ",".join(map(str, args.folds))
    rows = [
        Result(
            name,
            value,
            interval,
            bar or None,
            "fraction",
            f"PTB-XL 1.0.3, fold {fold_words}, {words}",
            "python benchmarks/operating_points.py --ptbxl DIR",
            current_commit(REPOSITORY),
            machine_words(),
        )
        for name, value, interval, bar, words in found
    ]
    for row in rows:
        ends = "" if row.interval is None else f"  {row.interval[0]:.3f} to {row.interval[1]:.3f}"
        print(f"{row.name}: {row.value:.3f}{ends}  ({row.data})")
    if args.max_records is None:
        write_results(args.results, rows)
    return 0


if __name__ == "__main__":
    from hf_heartllm.interrupts import run_interruptible

    sys.exit(run_interruptible(main, "operating_points"))
