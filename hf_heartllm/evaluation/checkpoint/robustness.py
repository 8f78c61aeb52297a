"""What disturbed recordings do to a checkpoint's answers: exact match and AUROC, beside the undisturbed ones."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ...ecg import read_ecg
from ...models.ecg_record import ECGError
from ..answered import Answered, Outcomes, tabulate
from ..answers import EXACT
from ..conditions import BACKGROUND, BLIND, CONDITIONS, CONTROL, DEAF, REAL
from ..controlled import ControlledResult, interval_document
from ..facts import file_facts, model_facts, question_facts, versions
from ..held_out import CheckpointSettings, check_some_balanced, persons_of, read_held_out
from ..heldout import evaluate
from ..intervals import Bootstrap, Interval, Settings
from ..page import Evaluation, difference_section
from ..question_file import HeldOutRecord
from ..separation import check_separation
from .disturb import Disturbance, disturbances
from .figures import auroc_results, measured_answers

UNDISTURBED = "undisturbed"


@dataclass(frozen=True, kw_only=True)
class RobustnessSettings(CheckpointSettings):
    """What to evaluate on, and how: `CheckpointSettings`, and the `kinds` of disturbances to try (None: all)."""

    kinds: tuple[str, ...] | None = None


def evaluate_robustness(model: Any, tokenizer: Any, name: str, settings: RobustnessSettings, parts: Path) -> Evaluation:
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
    rows = _results(undisturbed, UNDISTURBED, bootstrap)
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
        for title, found in _results(answered, disturbance.name, bootstrap).items():
            rows[title] += found
        drawn = Bootstrap(answered.patients[answered.balanced], **bootstrap)
        disturbed, plainly = (drawn.mean(one.right[REAL][one.balanced]) for one in (answered, undisturbed))
        changes[disturbance.name] = disturbed.minus(plainly)
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
    return Evaluation(f"Disturbed recordings answered by {name}", rows, document, sections)


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


def _results(answered: Answered, title: str, bootstrap: Settings) -> dict[str, list[ControlledResult]]:
    """Exact match of the balanced questions, and the AUROCs of those that every record is asked."""
    measured = measured_answers(answered, None, bootstrap, absent="it looks at no ECG: see `heartllm evaluate qa`")
    areas = [one for one in auroc_results(answered, bootstrap) if "every record" in one.group]
    return {
        "Exact match": measured.results((EXACT,), title, answered.balanced),
        "AUROC": [replace(one, group=f"{title}: {one.group}") for one in areas],
    }
