"""The reports of a record as a model learns to write them: in English."""

from __future__ import annotations

from ..labels.english_reports import report_from_statements, translate_report
from ..labels.scp import STATEMENTS
from ..models.report_text import clean_report_text
from .record import Record, Report

STATEMENTS_MADE, TRANSLATED = "statements", "translated"


def report_of_labels(record: Record) -> Report | None:
    """A report made from the SCP statements of a record; None where it has none."""
    text = report_from_statements(code for code in record.codes if code in STATEMENTS)
    return Report(text, "en", STATEMENTS_MADE) if text else None


def english_report(record: Record) -> Report | None:
    """The record's own report in English: the original, or its translation where the glossary has all of its words.

    What a device prints round the findings is taken out; None where nothing is left, or no report is in English.
    """
    for report in record.reports:
        if report.language not in ("en", "de", "sv", None):
            continue
        translation = translate_report(report.text)
        plain = translation.text
        if report.language == "en" and translation.language != "en":  # English in words that the glossary has not
            plain, uncovered = " ".join(report.text.split()), False
        else:
            uncovered = bool(translation.uncovered)
        if not uncovered and (text := clean_report_text(plain)):
            return Report(text, "en", TRANSLATED)
    return None
