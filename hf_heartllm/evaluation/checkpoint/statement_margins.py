"""Every record of some folds of PTB-XL asked for every statement: what operating points are chosen and judged on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...labels.scp import superclasses
from ...models.answer_calibration import AskedStatement
from ..conditions import REAL
from ..facts import ecg_source
from ..heldout import evaluate
from ..question_file import HeldOutQuestion, HeldOutRecord
from .operating_points import StatementMargins

if TYPE_CHECKING:
    import pandas as pd

YES_NO = ("yes", "no")


def asked_of_every_record(
    table: pd.DataFrame, statements: Sequence[AskedStatement]
) -> tuple[list[HeldOutRecord], np.ndarray]:
    """The questions, and bool (records, statements), whether the labels state what is asked for.

    Args:
        table: from `labels.ptbxl.read_ptbxl_table`, restricted to the wanted folds.
        statements: with the questions they are asked by.
    """
    records, stated = [], []
    for row in table.to_dict("records"):
        codes = frozenset(row["scp_codes"])
        classes = frozenset(superclasses(codes))
        held = [one.attribute in (classes if one.attribute_type == "superclass" else codes) for one in statements]
        questions = tuple(
            HeldOutQuestion(
                one.question, YES_NO[not yes], YES_NO, "verify", one.attribute_type, one.attribute, every_record=True
            )
            for one, yes in zip(statements, held, strict=True)
        )
        records.append(
            HeldOutRecord(
                int(row["ecg_id"]), int(row["patient_id"]), str(row["filename_lr"]), str(row["filename_hr"]), questions
            )
        )
        stated.append(held)
    return records, np.array(stated, dtype=bool)


def statement_margins(
    model: Any,
    tokenizer: Any,
    table: pd.DataFrame,
    statements: Sequence[AskedStatement],
    ptbxl: Path,
    parts: Path,
    *,
    tokens: Path | None = None,
    progress: bool = True,
) -> StatementMargins:
    """Ask every record for every statement.

    Args:
        model: the language model.
        tokenizer: its `ECGTokenizer`.
        table: of the records.
        statements: those asked for.
        ptbxl: PTB-XL's folder.
        parts: folder for partial results; a broken-off run goes on from there.
        tokens: codes made with the checkpoint's codec, instead of reading records.
        progress: show a bar.

    Raises:
        ValueError: if the folder holds partial results of another run, or codes are of another codec.
    """
    records, stated = asked_of_every_record(table, statements)
    ecg_ids, ecgs = ecg_source(tokenizer, ptbxl, tokens, 100)
    found = evaluate(model, tokenizer, records, ecg_ids, parts, conditions=(REAL,), progress=progress, ecgs=ecgs)
    margins = [[scores[0] - scores[1] for scores in found[record.ecg_id, REAL]] for record in records]
    patients = np.array([record.patient_id for record in records], dtype=np.int64)
    return StatementMargins(tuple(statements), np.array(margins, dtype=np.float64), stated, patients)
