"""Closed answer sets: one prompt, or many questions about one ECG whose tokens run through the model once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..models.answer_scores import AnswerScores, score_answers, score_groups, score_prompts
from ..models.ecg_prompts import PromptIds

__all__ = ["AnswerScores", "question_prompt", "score_answers", "score_groups", "score_prompts", "score_questions"]


def question_prompt(tokenizer: Any, ecg_ids: Sequence[int] | None, question: str) -> list[int]:
    """Token ids of a question about an ECG that is tokenised already; None asks without an ECG (blind control)."""
    return PromptIds(tokenizer)(ecg_ids, question)


def score_questions(
    model: Any,
    tokenizer: Any,
    ecg_ids: Sequence[int] | None,
    questions: Sequence[tuple[str, Sequence[str]]],
) -> list[AnswerScores]:
    """Score many questions about one ECG, each with a closed answer set of its own.

    The ECG runs through the model once for all of them. Equal to `score_answers` question by question, up to rounding.

    Args:
        model: the language model, in evaluation mode.
        tokenizer: its `ECGTokenizer`.
        ecg_ids: what `tokenizer.encode_ecg` made of the record; None asks without an ECG.
        questions: (question, its answers).

    Raises:
        ValueError: if an answer set is empty or holds an answer twice.
    """
    prompts = [question_prompt(tokenizer, ecg_ids, question) for question, _ in questions]
    return score_prompts(model, tokenizer, prompts, [answers for _, answers in questions])
