"""What ECG-LM's encoder tells of statements by itself, from all leads and from few, before any language model.

    python benchmarks/encoder.py --model build/ecg-lm/encoder/model --ptbxl DIR

The area under the ROC curve of its logits (training/train_encoder.py), mean over the classes of each task of
`heartllm evaluate classify`; the control shows it another patient's ECG. Writes benchmarks/results/ecg_lm.json.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from hf_heartllm.data.record import Record
from hf_heartllm.evaluation.classification.tasks import TASKS
from hf_heartllm.evaluation.conditions import other_patients
from hf_heartllm.evaluation.intervals import Bootstrap
from hf_heartllm.evaluation.results import Result, current_commit, machine_words, meets_target, write_results
from hf_heartllm.models.ecg_leads import STANDARD_LEADS
from hf_heartllm.models.feature_extraction_ecg import ECGFeatureExtractor
from hf_heartllm.models.modeling_ecg_encoder import ECGEncoderForSequenceClassification
from hf_heartllm.training.recordings import RecordingDataset
from hf_heartllm.training.stages import read_usable

REPOSITORY = Path(__file__).resolve().parent.parent
LEADS = {
    "twelve leads": STANDARD_LEADS,
    "I, II, V2": ("I", "II", "V2"),
    "I, II": ("I", "II"),
    "II": ("II",),
    "I": ("I",),
}
TARGETS = {"superclass": ">= 0.925"}
BATCH = 64


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="folder of training/train_encoder.py's model")
    parser.add_argument("--ptbxl", type=Path, required=True, help="folder of PTB-XL")
    parser.add_argument("--folds", default="9", help="default: 9")
    parser.add_argument("--max-records", type=int, metavar="N", help="evenly spaced; default: all")
    parser.add_argument("--results", default=str(REPOSITORY / "benchmarks/results/ecg_lm.json"))
    parser.add_argument("--no-results", action="store_true", help="print only")
    return parser.parse_args(argv)


@torch.inference_mode()
def logits_of(
    model: ECGEncoderForSequenceClassification, recordings: RecordingDataset, leads: Sequence[str]
) -> np.ndarray:
    """float (recordings, statements), of some of the leads."""
    absent = [place for place, name in enumerate(model.config.leads) if name not in leads]
    found = np.empty((len(recordings), model.config.num_labels), dtype=np.float32)
    by_length: dict[int, list[int]] = {}
    for place in range(len(recordings)):
        by_length.setdefault(recordings.features_of(place).shape[1], []).append(place)
    pieces = [places[i : i + BATCH] for places in by_length.values() for i in range(0, len(places), BATCH)]
    for piece in tqdm(pieces, desc=", ".join(leads) if absent else "all leads"):
        features = np.stack([recordings.features_of(place) for place in piece])
        features[:, absent] = np.nan
        found[piece] = model(torch.from_numpy(features)).logits.numpy()
    return found


def figures(model: ECGEncoderForSequenceClassification, recordings: RecordingDataset, where: str) -> list[Result]:
    """The areas of each task and choice of leads; of all leads those of each class too."""
    records: list[Record] = recordings.recordings
    bootstrap = Bootstrap(np.array([one.patient for one in records]))
    places = {one.record_id: place for place, one in enumerate(records)}
    other = other_patients(records)
    shuffled = np.array([places[other[one.record_id]] for one in records])
    rows = []
    for words, leads in LEADS.items():
        logits = logits_of(model, recordings, leads)
        for task in TASKS.values():
            names = [f"superclass {name}" if task.name == "superclass" else name for name in task.classes]
            known = [place for place, name in enumerate(names) if name in model.config.label2id]
            if not known:
                continue
            columns = [model.config.label2id[names[place]] for place in known]
            classes = [task.classes[place] for place in known]
            truth = np.array([[one.says(task.name, name) for name in classes] for one in records], dtype=float)
            positive = int(truth.sum())
            data = f"{where}, {len(records)} records, {positive} positive in {len(classes)} classes"
            name = f"encoder, {words}: {task.name}"
            area = bootstrap.auroc(truth, logits[:, columns])
            target = TARGETS.get(task.name) if words == "twelve leads" else None
            rows.append(Result.of(f"{name}, real ECG", area, unit="AUROC", target=target, data=data))
            control = bootstrap.auroc(truth, logits[shuffled][:, columns])
            rows.append(Result.of(f"{name}, another patient's ECG", control, unit="AUROC", data=data))
            if words == "twelve leads":
                for place, one in enumerate(classes):
                    of_class = bootstrap.auroc(truth[:, place], logits[:, columns[place]])
                    data = f"{where}, {len(records)} records, {int(truth[:, place].sum())} positive"
                    rows.append(Result.of(f"{name}, {one}, real ECG", of_class, unit="AUROC", data=data))
    return [row for row in rows if row.value == row.value]  # none of a class that no record has


def main(argv: list[str] | None = None) -> int:
    """Measure, print the figures and write the results. Returns the exit code."""
    args = parse(argv)
    try:
        model = ECGEncoderForSequenceClassification.from_pretrained(args.model).eval()
        config = model.config
        extractor = ECGFeatureExtractor(
            config.sampling_rate, None, config.leads, required_leads=[], min_duration=config.min_duration
        )
        found = read_usable([args.ptbxl], args.folds, extractor, args.max_records)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    recordings = RecordingDataset(found.records, extractor, features=found.features)
    command = f"python benchmarks/encoder.py --model FOLDER --ptbxl DIR --folds {args.folds}"
    command += f" --max-records {args.max_records}" * (args.max_records is not None)
    commit, machine = current_commit(REPOSITORY), machine_words()
    rows = [
        replace(row.rounded(4), command=command, commit=commit, machine=machine)
        for row in figures(model, recordings, f"PTB-XL fold {args.folds}")
    ]
    for row in rows:
        between = "" if row.interval is None else f"{row.interval[0]:.3f} to {row.interval[1]:.3f}"
        missed = "  MISSED" if meets_target(row) is False else ""
        print(f"{row.name:<70} {row.value:>7.3f}  {between:<16} {row.target or '':<8} {row.data}{missed}")
    if not args.no_results:
        write_results(args.results, rows)
    return 0


if __name__ == "__main__":
    from hf_heartllm.interrupts import run_interruptible

    raise SystemExit(run_interruptible(main, "encoder"))
