"""What disturbed recordings do to a checkpoint's answers: exact match and AUROC, beside the undisturbed ones."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...ecg import read_ecg
from ...models.ecg_record import ECGError
from ..conditions import BACKGROUND, BLIND, CONDITIONS, CONTROL, DEAF, REAL
from ..facts import file_facts, model_facts, question_facts, versions
from ..heldout import Answered, Outcomes, evaluate, tabulate
from ..intervals import Interval, paired_bootstrap
from ..question_file import HeldOutRecord
from .disturb import Disturbance, disturbances
from .figures import auroc_rows, exact_match_row
from .held_out import CheckpointSettings, check_some_balanced, persons_of, read_held_out
from .page import CheckpointEvaluation, difference_section
from .rows import ControlledRow, interval_document
from .separation import check_separation

UNDISTURBED = "undisturbed"


@dataclass(frozen=True, kw_only=True)
class RobustnessSettings(CheckpointSettings):
    """What to evaluate on, and how: `CheckpointSettings`, and the `kinds` of disturbances to try (None: all)."""

    kinds: tuple[str, ...] | None = None


def evaluate_robustness(
    model: Any, tokenizer: Any, name: str, settings: RobustnessSettings, parts: Path
) -> CheckpointEvaluation:
    """Ask the same questions about the same recordings, disturbed in every way.

    Under another patient's ECG that one is disturbed likewise. The controls without an ECG are asked once.

    Args:
        model: the language model.
        tokenizer: its `ECGTokenizer`.
        name: of the checkpoint, for the page.
        settings: see `RobustnessSettings`.
        parts: folder for partial results, one folder a disturbance.

    Raises:
        ValueError: if a patient of the training folds is among the records, a kind is unknown, or the folder holds
            partial results of another run.
    """
    tried = chosen(settings.kinds)
    held_out = read_held_out(settings)
    whole, records = held_out.whole, held_out.records
    names = dict.fromkeys(held_out.training["ecg_id"], "")
    apart = check_separation(records, held_out.training_patients, names, None)
    check_some_balanced(records, settings.questions)
    persons = persons_of(held_out.table, records)
    backgrounds = {record.ecg_id: persons[record.ecg_id].background for record in records}
    identity = f"codec {tokenizer.codec.fingerprint()}, records at {settings.rate} Hz"
    options: dict[str, Any] = {"seed": settings.seed, "progress": settings.progress}
    bootstrap = settings.bootstrap

    plain = evaluate(
        model,
        tokenizer,
        records,
        _reader(tokenizer, settings, None),
        parts / UNDISTURBED,
        conditions=CONDITIONS,
        backgrounds=backgrounds,
        ecgs=identity,
        **options,
    )
    undisturbed = tabulate(records, plain, CONDITIONS)
    rows = {"Exact match": [exact_match_row(undisturbed, UNDISTURBED, bootstrap)], "AUROC": []}
    rows["AUROC"] += _areas(undisturbed, UNDISTURBED, bootstrap)
    changes: dict[str, Interval] = {}
    notes = []
    for disturbance in tried:
        folder = parts / re.sub(r"[^a-z0-9.]+", "-", disturbance.name.lower())
        try:
            outcomes = evaluate(
                model,
                tokenizer,
                records,
                _reader(tokenizer, settings, disturbance),
                folder,
                conditions=(REAL, CONTROL, DEAF),
                ecgs=f"{identity}, {disturbance.name}",
                **options,
            )
        except ECGError as error:
            reason = str(error).rpartition(": ")[2]  # without the record's place on this machine
            notes.append(f"{disturbance.name}: the codec does not take such recordings ({reason}).")
            continue
        answered = tabulate(records, _with_blind(outcomes, plain), CONDITIONS)
        rows["Exact match"].append(exact_match_row(answered, disturbance.name, bootstrap))
        rows["AUROC"] += _areas(answered, disturbance.name, bootstrap)
        balanced = np.array([not question.every_record for question in answered.questions])
        changes[disturbance.name] = paired_bootstrap(
            answered.right[REAL][balanced],
            undisturbed.right[REAL][balanced],
            answered.patients[balanced],
            **bootstrap,
        )
    found_changes = {name: interval_document(change) for name, change in changes.items()}
    settings_plain = {k: v.name if isinstance(v, Path) else v for k, v in asdict(settings).items()}
    document = {
        "format": "heartllm evaluate robustness",
        "format_version": 1,
        "settings": {key: value for key, value in settings_plain.items() if key not in ("ptbxl", "progress")},
        "versions": versions(),
        "model": model_facts(model, tokenizer, name),
        "ecgs": identity,
        "questions": question_facts(settings.questions, whole, records),
        "ptbxl_table": file_facts(settings.ptbxl / "ptbxl_database.csv"),
        "tables": {title: [row.document() for row in found] for title, found in rows.items()},
        "changes": found_changes,
        "notes": [
            "Change: exact match on the disturbed recording less that on the undisturbed one, paired by question.",
            f"The recordings have {settings.rate} Hz: at a higher rate nothing is added above half of that.",
            "Another patient's ECG is disturbed likewise; without an ECG nothing is, so those columns stand still.",
            f"{apart.patient_words(settings.training_folds)} (by patient number).",
            *held_out.notes(),
            *([f"Only {len(records)} records, evenly spaced over the file."] if settings.max_records else []),
            *notes,
        ],
    }
    sections = difference_section("Change against the undisturbed recordings", "disturbance", found_changes)
    return CheckpointEvaluation(f"Disturbed recordings answered by {name}", rows, document, sections)


def chosen(kinds: Sequence[str] | None) -> list[Disturbance]:
    """The disturbances of these kinds, all for None.

    Raises:
        ValueError: if a kind is unknown.
    """
    every = disturbances()
    known = list(dict.fromkeys(one.kind for one in every))
    for kind in kinds or ():
        if kind not in known:
            raise ValueError(f"no disturbance {kind!r}; there are {', '.join(known)}")
    return [one for one in every if kinds is None or one.kind in kinds]


def _reader(
    tokenizer: Any, settings: RobustnessSettings, disturbance: Disturbance | None
) -> Callable[[HeldOutRecord], list[int]]:
    """Token ids of a record's disturbed recording, each made once."""
    known: dict[int, list[int]] = {}

    def ids(record: HeldOutRecord) -> list[int]:
        if record.ecg_id not in known:
            signal = read_ecg(settings.ptbxl / (record.filename_lr if settings.rate == 100 else record.filename_hr))
            if disturbance is not None:
                signal = disturbance.apply(signal, settings.seed + record.ecg_id)
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message=".*missing")  # that leads are missing is what is tried
                known[record.ecg_id] = [int(token) for token in tokenizer.encode_ecg(signal)]
        return known[record.ecg_id]

    return ids


def _with_blind(outcomes: Outcomes, plain: Outcomes) -> Outcomes:
    return {**outcomes, **{key: value for key, value in plain.items() if key[1] in (BLIND, BACKGROUND)}}


def _areas(answered: Answered, title: str, bootstrap: Mapping[str, int]) -> list[ControlledRow]:
    """AUROCs of the questions that every record is asked."""
    return [
        ControlledRow(row.figure, f"{title}: {row.group}", row.values, row.margins, row.absent)
        for row in auroc_rows(answered, bootstrap)
        if "every record" in row.group
    ]
