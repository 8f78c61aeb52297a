"""What a model is shown beside the question: the record's own ECG, and the controls without which no figure stands."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..models.ecg_prompts import PromptIds
from .question_file import HeldOutRecord

REAL, CONTROL, BLIND, DEAF, BACKGROUND = "real", "control", "blind", "deaf", "background"
CONDITIONS = (REAL, CONTROL, BLIND, DEAF, BACKGROUND)
"""The record's own ECG, another patient's, none, the own ECG without the question, only the patient's age and sex."""

CONDITION_WORDS = {
    REAL: "real ECG",
    CONTROL: "another patient's ECG",
    BLIND: "no ECG",
    DEAF: "ECG without the question",
    BACKGROUND: "age and sex only",
}


def other_patients(records: Sequence[HeldOutRecord], seed: int = 0) -> dict[int, int]:
    """For each record one of another patient: ecg_id → ecg_id.

    The patients are put in a random circle and each is given the next one's records, so no patient keeps an own one.

    Raises:
        ValueError: if there are fewer than two patients.
    """
    by_patient: dict[int, list[int]] = defaultdict(list)
    for record in records:
        by_patient[record.patient_id].append(record.ecg_id)
    if len(by_patient) < 2:
        there = "is one patient" if by_patient else "is no record"
        raise ValueError(f"a control needs records of at least two patients, to show another's ECG; here there {there}")
    rng = np.random.default_rng(seed)
    circle = rng.permutation(sorted(by_patient)).tolist()
    following = dict(zip(circle, [*circle[1:], circle[0]], strict=True))
    return {record.ecg_id: int(rng.choice(by_patient[following[record.patient_id]])) for record in records}


def condition_words(condition: str, question: str, background: str = "") -> str:
    """What stands beside the ECG under a condition: nothing under `DEAF`, the background first under `BACKGROUND`."""
    if condition == DEAF:
        return ""
    return f"{background} {question}" if condition == BACKGROUND and background else question


class ConditionPrompts:
    """Token ids of prompts under the conditions; the answer follows.

    Args:
        tokenizer: an `ECGTokenizer`.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._ids = PromptIds(tokenizer)

    def __call__(
        self, condition: str, question: str, ecg_ids: Sequence[int] | None = None, background: str = ""
    ) -> list[int]:
        """The prompt.

        Args:
            condition: one of `CONDITIONS`.
            question: in words; left out of the prompt under `DEAF`.
            ecg_ids: of the ECG to show: the own one, or another patient's under `CONTROL`.
            background: what is told of the patient under `BACKGROUND` (`models.prompts.background_text`).
        """
        shown = None if condition in (BLIND, BACKGROUND) else list(ecg_ids or ())
        return self._ids(shown, condition_words(condition, question, background))


def condition_prompt(
    tokenizer: Any, condition: str, question: str, ecg_ids: Sequence[int] | None = None, background: str = ""
) -> list[int]:
    """One prompt under a condition, see `ConditionPrompts`."""
    return ConditionPrompts(tokenizer)(condition, question, ecg_ids, background)
