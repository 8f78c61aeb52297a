"""Recordings → reports: written window by window, with the statements that are "yes" at their operating points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .answer_calibration import AnswerCalibration
from .ecg_answers import ECGReport, WindowAnswer
from .ecg_reading import Reading, ReadWindow, ecg_prompt
from .ecg_statements import statements_found
from .likeliest_texts import likeliest_texts
from .report_text import clean_report_text, joined_reports


def write_reports(
    model: Any,
    tokenizer: Any,
    calibration: AnswerCalibration | None,
    asked: Sequence[tuple[Reading, str]],
    max_tokens: int,
) -> list[ECGReport]:
    """Write the report of each recording, greedily; all go through the model together.

    Args:
        model: the language model.
        tokenizer: its `ECGTokenizer`.
        calibration: of the model; None: no findings are listed.
        asked: recordings, and the words that ask for the report of each.
        max_tokens: of one report.
    """
    prompts = [
        ecg_prompt(tokenizer, window.ids or (), request) for reading, request in asked for window in reading.readable
    ]
    texts = iter(likeliest_texts(model, tokenizer, prompts, max_tokens, 1))
    end = tokenizer.eos_token_id
    reports = []
    for reading, _ in asked:
        written = [next(texts)[0] for _ in reading.readable]
        cleaned = [clean_report_text(text) for text, _, _ in written]
        of_windows = [window.ids or () for window in reading.readable]
        reports.append(
            ECGReport(
                joined_reports(cleaned),
                min(math.exp(score / len(ids)) for _, ids, score in written),
                complete=all(ids[-1] == end for _, ids, _ in written),
                windows=_windows(reading, cleaned),
                findings=() if calibration is None else statements_found(model, tokenizer, calibration, of_windows),
                warnings=reading.warnings,
            )
        )
    return reports


def _windows(reading: Reading, texts: Sequence[str]) -> tuple[WindowAnswer, ...]:
    if len(reading.windows) == 1:
        return ()
    written = iter(texts)

    def of(window: ReadWindow) -> WindowAnswer:
        text = None if window.ids is None else next(written)
        return WindowAnswer(window.start, window.stop, text, problem=window.problem)

    return tuple(of(window) for window in reading.windows)
