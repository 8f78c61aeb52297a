"""Answers and reports as commands show them, in words and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .common import describe, describe_windows

if TYPE_CHECKING:
    from ..models.ecg_answers import ECGAnswer, ECGReport
    from ..models.ecg_record import ECGRecord

MOST_FINDINGS = 6  # that are printed; all stand in --json


def answer_in_words(question: str, answer: ECGAnswer) -> str:
    """An answer as it is printed, what its reader should know below it."""
    lines = [str(answer), *(f"  trained: {one}" for one in answer.nearest)]
    if answer.asked not in (None, question) and not answer.negated:
        lines.append(f'  asked as "{answer.asked}"')
    lines += [f"  {_percent(probability):>7}  {text}" for text, probability in answer.alternatives]
    return "\n".join([*lines, *(f"  {line}" for line in answer.explained())])


def answer_as_json(question: str, answer: ECGAnswer, record: ECGRecord, heard: list[str]) -> dict[str, Any]:
    """An answer for --json."""
    return {
        "question": question,
        "asked": answer.asked,
        "negated": answer.negated,
        "answered": answer.answered,
        "answer": answer.text,
        "probability": answer.probability,
        "confidence": answer.confidence,
        "alternatives": _rows(answer.alternatives),
        "abstained": not answer.answered,
        "reason": answer.abstained,
        "nearest": list(answer.nearest),
        "calibrated": answer.calibrated,
        "prevalence": answer.prevalence,
        "basis": answer.basis,
        "operating_point": None if answer.operating_point is None else asdict(answer.operating_point),
        "uncalibrated": _rows(answer.uncalibrated),
        "closed_answer_set": answer.closed,
        "windows": describe_windows(answer.windows),
        "windows_rule": answer.windows_rule,
        "absent_leads": list(answer.absent),
        "warnings": heard,
        "record": describe(record),
    }


def report_in_words(report: ECGReport) -> str:
    """A report as it is printed."""
    from ..models.operating_points import probability_words, times

    lines = [str(report)]
    if report.findings:
        few = f", for all leads; missing here: {len(report.absent)}" if report.absent else ""
        lines.append(f"\nAsked one by one, at their operating points{few} (all in --json):")
    for one in report.findings[:MOST_FINDINGS]:
        lines.append(f"  {one.words}: p {probability_words(one.probability)}, {times(one.times_average)}")
    if report.windows:
        lines.append(f"  from {len(report.windows)} windows of {report.windows[0].seconds:g} s")
    return "\n".join(lines)


def report_as_json(report: ECGReport, record: ECGRecord, heard: list[str]) -> dict[str, Any]:
    """A report for --json."""
    return {
        "report": report.text,
        "token_probability": report.token_probability,
        "complete": report.complete,
        "findings": [asdict(one) for one in report.findings],
        "windows": describe_windows(report.windows),
        "absent_leads": list(report.absent),
        "warnings": heard,
        "record": describe(record),
    }


def _percent(probability: float) -> str:
    """With two decimals; no answer is certain, so never 0 or 100 %."""
    return ">99.99%" if probability > 0.9999 else "<0.01%" if probability < 0.0001 else f"{probability:.2%}"


def _rows(alternatives: Sequence[tuple[str, float]]) -> list[dict[str, Any]]:
    return [{"answer": text, "probability": probability} for text, probability in alternatives]
