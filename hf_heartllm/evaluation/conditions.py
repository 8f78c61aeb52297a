"""What a model is shown beside the question: the record's own ECG, and the controls without which no figure stands."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..data.record import Record, id_order
from ..models.ecg_prompts import Prompt
from ..models.ecg_windows import MEAN

REAL, SHUFFLED_ECG, NO_ECG, NO_QUESTION, BACKGROUND = "real", "shuffled_ecg", "no_ecg", "no_question", "background"
CONDITIONS = (REAL, SHUFFLED_ECG, NO_ECG, NO_QUESTION, BACKGROUND)
"""The record's own ECG, another patient's, none, the own ECG without the question, only the patient's age and sex."""

OLD_NAMES = {"control": SHUFFLED_ECG, "blind": NO_ECG, "deaf": NO_QUESTION}
"""Names of conditions in partial results of before, which are still read."""

WITH_ECG = (REAL, SHUFFLED_ECG, NO_QUESTION)
CONDITION_WORDS = {
    REAL: "real ECG",
    SHUFFLED_ECG: "another patient's ECG",
    NO_ECG: "no ECG",
    NO_QUESTION: "ECG without the question",
    BACKGROUND: "age and sex only",
}


def other_patients(records: Iterable[Record], seed: int = 0) -> dict[str, str]:
    """For each record one of another patient: record_id → record_id.

    The patients are put in a random circle and each is given the next one's records, so no patient keeps an own one.

    Raises:
        ValueError: if there are fewer than two patients.
    """
    by_patient: dict[str, list[str]] = defaultdict(list)
    owner = {record.record_id: record.patient for record in records}
    for record_id, patient in owner.items():
        by_patient[patient].append(record_id)
    if len(by_patient) < 2:
        there = "is one patient" if by_patient else "is no record"
        raise ValueError(f"a control needs records of at least two patients, to show another's ECG; here there {there}")
    rng = np.random.default_rng(seed)
    circle = [str(one) for one in rng.permutation(sorted(by_patient, key=id_order))]
    following = dict(zip(circle, [*circle[1:], circle[0]], strict=True))
    return {one: str(rng.choice(by_patient[following[patient]])) for one, patient in owner.items()}


def shown_record(condition: str, own: str, records: Mapping[str, Record], other: Mapping[str, str]) -> Record | None:
    """The record whose recording is shown under a condition, or None; `other` is from `other_patients`."""
    if condition not in WITH_ECG:
        return None
    return records[other[own] if condition == SHUFFLED_ECG else own]


def condition_prompt(condition: str, ecg: Any, text: str, background: str = "", rule: str = MEAN) -> Prompt:
    """The prompt under a condition.

    Args:
        condition: one of `CONDITIONS`.
        ecg: what is shown, as `Prompt.record`: the own recording, or another patient's under `SHUFFLED_ECG`.
        text: question or request; left out under `NO_QUESTION`.
        background: what is told of the patient under `BACKGROUND` (`models.prompts.background_text`).
        rule: how the answers of a long recording's windows are put together.
    """
    return Prompt(
        ecg if condition in WITH_ECG else None,
        "" if condition == NO_QUESTION else text,
        background if condition == BACKGROUND else "",
        MEAN if condition == NO_QUESTION else rule,
    )
