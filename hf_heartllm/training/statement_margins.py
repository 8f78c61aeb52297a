"""Every record asked for every statement: what operating points are chosen and judged on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..data.question import EVERY_RECORD, Question
from ..data.record import Record
from ..evaluation.answering import Asker, answer_questions
from ..evaluation.conditions import REAL
from ..evaluation.question_file import AskedRecord
from ..models.answer_calibration import AskedStatement
from .operating_points import StatementMargins

YES_NO = ("yes", "no")


def asked_of_every_record(
    records: Sequence[Record], statements: Sequence[AskedStatement]
) -> tuple[list[AskedRecord], np.ndarray, np.ndarray]:
    """The questions, and whether the labels state and whether they deny what is asked for, bool (records, statements).

    Args:
        records: of the wanted part of a collection.
        statements: with the questions they are asked by.
    """
    asked, stated, denied = [], [], []
    for record in records:
        held = [record.says(one.attribute_type, one.attribute) for one in statements]
        questions = []
        for one, yes in zip(statements, held, strict=True):
            about = "verify", one.attribute_type, one.attribute
            questions.append(Question(one.question, (YES_NO[not yes],), YES_NO, *about, question_set=EVERY_RECORD))
        asked.append(AskedRecord(record, tuple(questions)))
        stated.append([said is True for said in held])
        denied.append([said is False for said in held])
    return asked, np.array(stated, dtype=bool), np.array(denied, dtype=bool)


def statement_margins(
    asker: Asker, records: Sequence[Record], statements: Sequence[AskedStatement]
) -> StatementMargins:
    """Ask every record for every statement.

    Args:
        asker: whom; its folder keeps partial results.
        records: those asked about.
        statements: those asked for.

    Raises:
        ValueError: if the folder holds partial results of another run.
    """
    asked, stated, denied = asked_of_every_record(records, statements)
    found = answer_questions(asker, asked, (REAL,))
    margins = [[scores[0] - scores[1] for scores in found[one.record_id, REAL]] for one in asked]
    patients = np.array([record.patient for record in records])
    return StatementMargins(tuple(statements), np.array(margins, dtype=np.float64), stated, patients, denied)
