"""Recordings → reports: written window by window, with the statements that are "yes" at their operating points."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .answer_calibration import AnswerCalibration
from .ecg_answerer import Answerer
from .ecg_answers import ECGReport, WindowAnswer
from .ecg_prompts import Prompt
from .ecg_reading import Reading, ReadWindow
from .ecg_statements import statements_found
from .report_text import clean_report_text, joined_reports


def write_reports(
    answerer: Answerer,
    calibration: AnswerCalibration | None,
    asked: Sequence[tuple[Reading, str]],
    max_tokens: int,
) -> list[ECGReport]:
    """Write the report of each recording, greedily; all go through the model together.

    Args:
        answerer: the model, as it answers prompts.
        calibration: of the model; None: no findings are listed.
        asked: recordings, and the words that ask for the report of each.
        max_tokens: of one report.
    """
    prompts = [Prompt(window, request) for reading, request in asked for window in reading.readable]
    texts = iter(answerer.generate(prompts, max_tokens))
    reports = []
    for reading, _ in asked:
        written = [next(texts)[0] for _ in reading.readable]
        cleaned = [clean_report_text(one.text) for one in written]
        reports.append(
            ECGReport(
                joined_reports(cleaned),
                min(math.exp(one.log_probability / one.tokens) for one in written),
                complete=all(one.complete for one in written),
                windows=_windows(reading, cleaned),
                findings=() if calibration is None else statements_found(answerer, calibration, reading),
                absent=reading.absent,
                warnings=reading.warnings,
            )
        )
    return reports


def _windows(reading: Reading, texts: Sequence[str]) -> tuple[WindowAnswer, ...]:
    if len(reading.windows) == 1:
        return ()
    written = iter(texts)

    def of(window: ReadWindow) -> WindowAnswer:
        text = None if window.ecg is None else next(written)
        return WindowAnswer(window.start, window.stop, text, problem=window.problem)

    return tuple(of(window) for window in reading.windows)
