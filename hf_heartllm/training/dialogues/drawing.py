"""Dialogues as training reads them: of records or rows, drawn anew each time a record is read."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hf_heartllm.data.record import Record
from hf_heartllm.labels.scp import STATEMENTS
from hf_heartllm.training.measured_findings import findings_in_table
from hf_heartllm.training.turns.turn import Turn

from .cases import Case, case_of
from .rendering import ARMS, render_dialogue


class DialogueTurns:
    """Draws dialogues of records, in the wordings that are trained.

    Args:
        cases: by `record_id`.
    """

    def __init__(self, cases: Mapping[str, Case]) -> None:
        self.cases = cases

    def draw(self, record_id: str, rng: random.Random) -> Turn | None:
        """A dialogue about a record, in either arm; None about one without a case."""
        case = self.cases.get(record_id)
        if case is None:
            return None
        dialogue = render_dialogue(case, rng.choice(ARMS), rng.getrandbits(32))
        (question, answer), *then = dialogue.turns
        return Turn(question, answer, then=tuple(then))


def cases_of_records(records: Iterable[Record], measurements: str | Path | None = None) -> dict[str, Case]:
    """The cases of records by `record_id`, with age and sex.

    Args:
        records: any; those without a statement have no case.
        measurements: CSV table of dataset_builders.measurements; None: nothing was measured.

    Raises:
        ValueError: if the table lacks the columns of leads, or a cell is no number.
    """
    every = list(records)
    findings = findings_in_table(every, measurements) if measurements else {}
    cases = (case_of(one.record_id, one.codes, findings.get(one.record_id), one.age, one.sex) for one in every)
    return {case.record_id: case for case in cases if case is not None}


def cases_of_rows(rows: Iterable[Mapping[str, Any]]) -> dict[str, Case]:
    """The cases of training rows, as their questions tell the statements; without age and sex, which rows have not."""
    found = {}
    for row in rows:
        told = {q.attribute for q in row.get("questions") or () if q.question_type == "verify" and q.answer == "yes"}
        if (case := case_of(row["record_id"], told & STATEMENTS.keys())) is not None:
            found[case.record_id] = case
    return found
