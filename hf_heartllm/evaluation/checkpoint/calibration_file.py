"""What `heartllm evaluate qa --write-calibration` puts beside a checkpoint, for `heartllm ask` and the pipeline."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...data.record import Record
from ...data.sources import PTB_XL, RecordSource
from ...labels.scp import STATEMENTS, SUPERCLASSES
from ...models.answer_calibration import CALIBRATION_FILE, AnswerCalibration, AskedStatement
from ...models.whole_files import write_whole
from .calibration import prevalences

# "Is this ECG normal?" does not hold the phrase "normal ecg".
_OTHER_PHRASES = {"NORM": ("normal",)}


def asked_statements(records: Sequence[Record]) -> tuple[AskedStatement, ...]:
    """Every statement and superclass that some of the records state, and some do not, with its prevalence.

    A statement that is both a diagnosis and a finding of form is asked for by the same words, so it stands once.
    """
    named = {("superclass", name): words for name, words in SUPERCLASSES.items() if name not in STATEMENTS}
    for code, one in STATEMENTS.items():
        kind = one.categories[0]
        named["diagnosis" if kind == "diagnostic" else kind, code] = one.phrase
    shares = prevalences(records, set(named))
    return tuple(
        AskedStatement(kind, name, (named[kind, name], *_OTHER_PHRASES.get(name, ())), round(shares[kind, name], 6))
        for kind, name in sorted(shares)
    )


def prevalence_facts(source: RecordSource, training: Sequence[Record], folds: Sequence[int]) -> dict[str, Any]:
    """Of which records the prevalences are: their folds of PTB-XL, or another collection and its splits."""
    if source.layout == PTB_XL:
        return {"prevalence_folds": list(folds)}
    name = source.files[0].name if source.files else source.layout
    return {"prevalence_folds": sorted({record.split for record in training}), "collection": name}


def write_calibration(folder: Path, calibration: AnswerCalibration) -> Path:
    """Write `calibration.json` into a checkpoint's folder, whole; returns its path.

    Raises:
        ValueError: if the folder holds no checkpoint.
    """
    check_checkpoint_folder(folder)
    path = folder / CALIBRATION_FILE
    write_whole(path, json.dumps(calibration.document(), indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    return path


def check_checkpoint_folder(folder: Path) -> None:
    """Before a long run: that there will be a place for what it finds.

    Raises:
        ValueError: if the folder holds no checkpoint.
    """
    if not (folder / "config.json").is_file():
        raise ValueError(f"{folder}: the folder holds no config.json, so it is no checkpoint")
