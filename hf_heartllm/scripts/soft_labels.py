"""Write how probable each statement is for each recording, for `train_codec.py --soft-labels`.

    python training/soft_labels.py --records DIR --output build/soft_labels.parquet

The recordings are divided by folds (of a collection without, the patients of the split train are dealt out to as
many); each part's probabilities come from networks that were trained on the raw signals of the others. Run again after
an interruption, it goes on with the parts that are not there yet.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from hf_heartllm.arguments import add_options, settings_of
from hf_heartllm.data.record import Record
from hf_heartllm.evaluation.codec.parts import Part, kept_part
from hf_heartllm.evaluation.codec.probes import ProbeTraining, raw_extractor
from hf_heartllm.hashes import sha256_of
from hf_heartllm.labels.ptbxl import folds
from hf_heartllm.training.codec_training import probe_statements
from hf_heartllm.training.recordings import RecordingDataset, training_records, usable_records
from hf_heartllm.training.soft_labels import cross_fitted, write_soft_labels
from hf_heartllm.training.stages import refuse, say_left_out, say_notes, say_usable


@dataclass(frozen=True)
class Settings:
    """What the probabilities are made of; the options of this program are these fields.

    Attributes:
        records: PTB-XL's folder, labels.csv or its folder, or a folder of labelled WFDB records.
        output: Parquet file; whole parts are kept beside it.
        folds: folds of the recordings, two at least.
        folds_per_part: folds that the networks of a part have not seen.
        at_least: recordings that a statement must occur in.
        networks: networks of each part, averaged.
        passes: passes of each network over the recordings.
        num_proc: parts trained at a time, one core each.
    """

    records: Path
    output: Path
    folds: str = "1-8"
    folds_per_part: int = 2
    at_least: int = 15
    networks: int = 2
    passes: int = 8
    num_proc: int = 1


EXTRACTOR = raw_extractor()


def folds_of(records: Sequence[Record], folds: Sequence[int]) -> dict[str, int]:
    """The fold of each record; the patients of those without one are dealt out in an order that their names decide."""
    patients = {record.patient for record in records if record.fold is None}
    order = sorted(patients, key=lambda name: sha256_of(name.encode()))
    dealt = {name: folds[place % len(folds)] for place, name in enumerate(order)}
    return {one.record_id: dealt[one.patient] if one.fold is None else one.fold for one in records}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser, Settings, records={"names": ("--ptbxl",), "metavar": "SOURCE"})
    args = settings_of(Settings, parser.parse_args())
    try:
        chosen = folds(args.folds)
    except ValueError as error:
        refuse(f"--folds: {error}")
    if args.folds_per_part < 1 or args.folds_per_part >= len(chosen):
        refuse(f"--folds-per-part {args.folds_per_part}: of {len(chosen)} folds a network must see one at least")

    try:
        every, notes = training_records(args.records, chosen)
    except (OSError, ValueError) as error:
        refuse(error)
    say_notes(notes)
    fold_of = folds_of(every, chosen)
    found = usable_records(sorted(every, key=lambda one: chosen.index(fold_of[one.record_id])), EXTRACTOR)
    say_usable(found, len(every))
    recordings = found.records
    fold_index = np.array([chosen.index(fold_of[one.record_id]) for one in recordings])
    if lacking := sorted(set(chosen) - {chosen[place] for place in fold_index}):
        refuse(f"{args.records}: no recording of folds {lacking} that is long enough; give other --folds")
    parts = fold_index // args.folds_per_part
    statements = probe_statements(recordings, args.at_least)
    if not statements:
        refuse(f"{args.records}: no statement occurs in {args.at_least} of {len(recordings)} recordings (--at-least)")
    dataset = RecordingDataset(recordings, EXTRACTOR, statements, features=found.features)
    rows = [dataset[i] for i in tqdm(range(len(dataset)), desc="signals")]
    lengths = [row["input_features"].shape[1] for row in rows]
    shortest = min(lengths)
    cut = {f"but for their first {shortest} samples": sum(one > shortest for one in lengths)}
    say_left_out(cut, len(rows), "signals")
    signals = np.stack([np.nan_to_num(row["input_features"][:, :shortest].numpy()).astype(np.float16) for row in rows])
    labels = np.stack([row["statement_labels"].numpy() for row in rows])
    ids = [recording.record_id for recording in recordings]
    print(f"{len(ids)} recordings, {len(statements)} statements, {parts.max() + 1} parts", flush=True)

    run = _PartRun(
        args.output.with_suffix(".parts"), ids, statements, signals, labels, parts, args.networks, args.passes
    )
    # Threads of one network wait for each other more than they help; a process each does not.
    with ProcessPoolExecutor(args.num_proc, multiprocessing.get_context("spawn")) as pool:
        values_of = list(pool.map(run, range(parts.max() + 1)))
    probabilities = np.empty_like(labels)
    for number, values in enumerate(values_of):
        probabilities[parts == number] = values
    write_soft_labels(args.output, ids, statements, probabilities)
    print(args.output)


@dataclass(frozen=True)
class _PartRun:
    """Part → probabilities of its recordings; each part is kept when it is whole."""

    folder: Path
    ids: list[str]
    statements: list[str]
    signals: np.ndarray
    labels: np.ndarray
    parts: np.ndarray
    networks: int
    passes: int

    def __call__(self, part: int) -> np.ndarray:
        torch.set_num_threads(1)
        seeds = range(self.networks * part, self.networks * (part + 1))
        steps = self.networks * self.passes * math.ceil(int((self.parts != part).sum()) / ProbeTraining.batch_size)

        def make() -> Part:
            with tqdm(total=steps, desc=f"part {part}", position=part) as bar:
                values = cross_fitted(
                    self.signals,
                    self.labels,
                    self.parts,
                    part,
                    seeds=seeds,
                    passes=self.passes,
                    progress=bar.update,
                )
            return Part(arrays={"probabilities": values})

        key = {
            "records": self.ids,
            "parts": self.parts.tolist(),
            "statements": self.statements,
            "labels": sha256_of(self.labels.tobytes()),
            "seeds": list(seeds),
            "passes": self.passes,
        }
        return kept_part(self.folder, f"part-{part}", key, make).arrays["probabilities"]


if __name__ == "__main__":
    from hf_heartllm.interrupts import run_interruptible

    raise SystemExit(run_interruptible(main, "soft_labels"))
