"""Every record asked for every statement: what operating points are chosen and judged on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..data.question import EVERY_RECORD, Question
from ..data.record import Record
from ..evaluation.answering import Ecgs, answer_questions
from ..evaluation.checkpoint.calibration import states
from ..evaluation.conditions import REAL
from ..evaluation.question_file import AskedRecord
from ..inference import Answerer
from ..models.answer_calibration import AskedStatement
from .operating_points import StatementMargins

YES_NO = ("yes", "no")


def asked_of_every_record(
    records: Sequence[Record], statements: Sequence[AskedStatement]
) -> tuple[list[AskedRecord], np.ndarray]:
    """The questions, and bool (records, statements), whether the labels state what is asked for.

    Args:
        records: of the wanted folds.
        statements: with the questions they are asked by.
    """
    asked, stated = [], []
    for record in records:
        held = [states(record, one.attribute_type, one.attribute) for one in statements]
        questions = []
        for one, yes in zip(statements, held, strict=True):
            about = "verify", one.attribute_type, one.attribute
            questions.append(Question(one.question, (YES_NO[not yes],), YES_NO, *about, question_set=EVERY_RECORD))
        asked.append(AskedRecord(record, tuple(questions)))
        stated.append(held)
    return asked, np.array(stated, dtype=bool)


def statement_margins(
    answerer: Answerer,
    records: Sequence[Record],
    statements: Sequence[AskedStatement],
    ecg_of: Ecgs,
    ecgs: str,
    parts: Path,
    progress: bool = True,
) -> StatementMargins:
    """Ask every record for every statement.

    Args:
        answerer: the model.
        records: those asked about.
        statements: those asked for.
        ecg_of: reads a record's recording.
        ecgs: names what it gives.
        parts: folder for partial results; a broken-off run goes on from there.
        progress: show a bar.

    Raises:
        ValueError: if the folder holds partial results of another run.
    """
    asked, stated = asked_of_every_record(records, statements)
    found = answer_questions(answerer, asked, ecg_of, parts, conditions=(REAL,), progress=progress, ecgs=ecgs)
    margins = [[scores[0] - scores[1] for scores in found[one.record_id, REAL]] for one in asked]
    patients = np.array([record.patient for record in records])
    return StatementMargins(tuple(statements), np.array(margins, dtype=np.float64), stated, patients)
