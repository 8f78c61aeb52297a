"""What a model is shown beside the question: the record's own ECG, and the controls without which no figure stands."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from .question_file import HeldOutRecord
from .scoring import question_prompt

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


def condition_prompt(
    tokenizer: Any, condition: str, question: str, ecg_ids: Sequence[int] | None = None, background: str = ""
) -> list[int]:
    """Token ids of a prompt under a condition; the answer follows.

    Args:
        tokenizer: an `ECGTokenizer`.
        condition: one of `CONDITIONS`.
        question: in words; left out of the prompt under `DEAF`.
        ecg_ids: of the ECG to show: the own one, or another patient's under `CONTROL`.
        background: what is told of the patient under `BACKGROUND` (`models.prompts.background_text`).
    """
    if condition == DEAF:
        content = [{"type": "ecg", "ecg": list(ecg_ids or ())}]
        chat = [{"role": "user", "content": content}]
        return list(tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=True)["input_ids"])
    if condition == BACKGROUND:
        return question_prompt(tokenizer, None, f"{background} {question}" if background else question)
    return question_prompt(tokenizer, None if condition == BLIND else ecg_ids, question)


class ConditionPrompts:
    """`condition_prompt` for many ECGs and questions: the text around an ECG is tokenised once.

    Args:
        tokenizer: an `ECGTokenizer`.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._around_ecg = lru_cache(maxsize=100_000)(self._split)
        self._without_ecg = lru_cache(maxsize=100_000)(
            lambda question: tuple(question_prompt(tokenizer, None, question))
        )

    def _split(self, condition: str, question: str) -> tuple[list[int], list[int]]:
        """Ids before the codes, the start token included, and those behind them."""
        placeholder = self._tokenizer.ecg_token_offset
        ids = condition_prompt(self._tokenizer, condition, question, [placeholder])
        code = ids.index(self._tokenizer.ecg_end_token_id) - 1
        return ids[:code], ids[code + 1 :]

    def __call__(
        self, condition: str, question: str, ecg_ids: Sequence[int] | None = None, background: str = ""
    ) -> list[int]:
        """As `condition_prompt`."""
        if condition == BLIND:
            return list(self._without_ecg(question))
        if condition == BACKGROUND:
            return list(self._without_ecg(f"{background} {question}" if background else question))
        before, after = self._around_ecg(condition, "" if condition == DEAF else question)
        return [*before, *(ecg_ids or ()), *after]
