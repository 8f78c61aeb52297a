"""Reports that a checkpoint writes, scored by words and by findings, with the same controls as its answers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...data.record import Record
from ...labels.english_reports import report_from_statements, translate_report
from ...models.pipeline_ecg import MAX_REPORT_TOKENS, REPORT_REQUEST
from ..answering import Asker, backgrounds, write_texts
from ..conditions import REAL
from ..controlled import COLUMNS, MAJORITIES, MAJORITY, MAJORITY_AGE_SEX, interval_documents
from ..held_out import read_held_out
from ..intervals import Bootstrap
from ..partial import run_mark
from ..people import MIN_SUPPORT, Person, people
from ..provenance import Checkpoint, file_facts
from ..question_file import AskedRecord
from ..report_metrics import Reports
from ..runner import Evaluation, difference_section
from ..settings import ReportSettings
from ..wordnet import NO_SYNONYMS, Synonyms
from .figures import NO_TRAINING_ROWS
from .paired import write_identity
from .report_rows import REPORTS, other_reports, report_differences, report_results

STATEMENTS, TRANSLATED = "statements", "translated"
_REFERENCES: dict[str, Callable[[Record], str]] = {
    STATEMENTS: lambda record: report_from_statements(record.codes),
    TRANSLATED: lambda record: translate_report(record.reports[0].text).text if record.reports else "",
}
"""The report made of a record's SCP statements, or the collection's own report in English; empty for none."""


def evaluate_reports(
    checkpoint: Checkpoint, settings: ReportSettings, parts: Path, synonyms: Synonyms = NO_SYNONYMS
) -> Evaluation:
    """Let a checkpoint write the reports of the records that a question file names, and score them.

    Args:
        checkpoint: what is evaluated.
        settings: see `ReportSettings`.
        parts: folder for partial results.
        synonyms: from `evaluation.wordnet.find_wordnet`, for METEOR.

    Raises:
        ValueError: if a patient of training is among the records, fewer than two records have a reference, or the
            folder holds partial results of another run.
        MissingLibraryError: without the libraries of the extra `eval`.
    """
    reference = _REFERENCES[settings.reference]
    held_out = read_held_out(settings, settings.train_rows, wanted=lambda record: bool(reference(record)))
    asked, records = held_out.asked, [one.record for one in held_out.asked]
    if not asked:
        raise ValueError(f"{settings.questions}: no record of it has a true report ({settings.reference})")
    run = held_out.run("report", checkpoint, parts, settings.tokens)
    other = None if settings.against is None else other_reports(settings.against, run.questions, asked)
    usual: dict[str, list[str]] = {}  # before reports are written, which may take hours
    absent: dict[str, str] = dict.fromkeys(MAJORITIES, NO_TRAINING_ROWS)
    if held_out.train_rows is not None:
        usual, absent = _majority_reports(held_out.train_rows, people(held_out.training), people(records)), {}
    texts = write_reports(run.asker, asked) | usual
    write_identity(run)
    bootstrap = Bootstrap([record.patient for record in records], **settings.bootstrap)
    truth = [reference(record) for record in records], [record.codes for record in records]
    columns = {column: Reports(texts[column], *truth, synonyms) for column in COLUMNS if column in texts}
    against, sections = None, []
    if other is not None:
        model, theirs = other
        differences = report_differences(columns[REAL], Reports(theirs, *truth, synonyms), bootstrap)
        against = {"model": model, "ours_minus_theirs": interval_documents(differences)}
        sections = difference_section(f"Less the reports of {model['name']}, paired by record", "figure", differences)
    notes = [
        "The true report is the one made of the record's SCP statements."
        if settings.reference == STATEMENTS
        else "The true report is the collection's own, in English by the glossary.",
        "Findings are compared with the record's SCP statements whatever the true report is.",
        f"METEOR matches synonyms by {synonyms.name}." if synonyms.name else "METEOR had no WordNet: no synonyms.",
        "Written greedily; the majority columns hold the most frequent training report.",
        *held_out.notes(of_questions=False),
    ]
    found = {
        "against": against,
        "training_rows": None if settings.train_rows is None else file_facts(settings.train_rows),
        "request": REPORT_REQUEST,
    }
    tables = report_results(columns, bootstrap, absent)
    return Evaluation(run, "Reports written", tables, notes, found, sections, every_margin=True)


def write_reports(asker: Asker, asked: Sequence[AskedRecord]) -> dict[str, list[str]]:
    """Condition → the report of each record, greedy."""
    own = [one.record_id for one in asked]
    mark = run_mark(asker.checkpoint.weights, asker.ecgs, REPORT_REQUEST)
    mark = run_mark(mark, own, sorted(backgrounds(asked).items()), asker.seed)
    wanted = [(name, REPORT_REQUEST) for name in own]
    return write_texts(asker, asked, wanted, REPORTS, mark, max_new_tokens=MAX_REPORT_TOKENS)


def _majority_reports(
    rows: Sequence[Mapping[str, Any]], trained: Mapping[str, Person], wanted: Mapping[str, Person]
) -> dict[str, list[str]]:
    """The most frequent training report, and that of the same age band and sex where it occurs often enough."""
    overall: Counter[str] = Counter()
    by_group: dict[tuple[str, str] | None, Counter[str]] = defaultdict(Counter)
    for row in rows:
        if row["report"]:
            overall[row["report"]] += 1
            person = trained.get(row["record_id"])
            by_group[None if person is None else person.group][row["report"]] += 1
    if not overall:
        raise ValueError("the training rows hold no reports")
    usual = overall.most_common(1)[0][0]
    of_group = {group: found.most_common(1)[0][0] for group, found in by_group.items() if found.total() >= MIN_SUPPORT}
    return {
        MAJORITY: [usual] * len(wanted),
        MAJORITY_AGE_SEX: [of_group.get(one.group, usual) for one in wanted.values()],
    }
