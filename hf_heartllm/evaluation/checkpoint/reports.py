"""Reports that a checkpoint writes, scored by words and by findings, with the same controls as its answers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...data.record import Record
from ...inference import Answerer
from ...labels.english_reports import report_from_statements, translate_report
from ...models.pipeline_ecg import MAX_REPORT_TOKENS, REPORT_REQUEST
from ..answering import Ecgs, Key, Request, backgrounds, weights_fingerprint, write_texts
from ..conditions import BACKGROUND, CONDITIONS, REAL, SHUFFLED_ECG, other_patients, shown_record
from ..controlled import COLUMNS, MAJORITIES, MAJORITY, MAJORITY_AGE_SEX, interval_document
from ..held_out import Checkpoint, HeldOutSet, read_held_out
from ..intervals import Bootstrap
from ..leakage import Leakage, training_leakage
from ..majority import read_training_rows
from ..page import Evaluation, difference_section
from ..partial import run_mark
from ..people import MIN_SUPPORT, Person, people
from ..provenance import file_facts, question_facts
from ..question_file import AskedRecord, evenly_spaced
from ..report_metrics import Reports
from ..settings import ReportSettings
from ..wordnet import NO_SYNONYMS, Synonyms
from .figures import NO_TRAINING_ROWS
from .paired import write_identity
from .report_rows import REPORTS, other_reports, report_differences, report_results

STATEMENTS, TRANSLATED = "statements", "translated"
"""The report made of a record's SCP statements, or the collection's own report in English."""


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
    held_out = read_held_out(settings)
    references = {one.record_id: _reference(one.record, settings.reference) for one in held_out.whole}
    asked = evenly_spaced([one for one in held_out.whole if references[one.record_id]], settings.max_records)
    if not asked:
        raise ValueError(f"{settings.questions}: no record of it has a true report ({settings.reference})")
    train_rows = None if settings.train_rows is None else read_training_rows(settings.train_rows)
    apart = training_leakage(asked, held_out.training, train_rows or ())
    ecg_of, ecgs = held_out.ecgs(checkpoint.answerer, settings.tokens)
    texts = write_reports(checkpoint.answerer, asked, ecg_of, parts, ecgs=ecgs, **settings.asking)
    absent: dict[str, str] = dict.fromkeys(MAJORITIES, NO_TRAINING_ROWS)
    if train_rows is not None:
        texts |= _majority_reports(train_rows, people(held_out.training), people(one.record for one in asked))
        absent = {}
    facts, names = question_facts(settings.questions, held_out.whole, asked), checkpoint.facts()
    write_identity(parts, names, facts)
    other = None if settings.against is None else other_reports(settings.against, facts, asked)
    bootstrap = Bootstrap([one.record.patient for one in asked], **settings.bootstrap)
    truth = [references[one.record_id] for one in asked], [one.record.codes for one in asked]
    columns = {column: Reports(texts[column], *truth, synonyms) for column in COLUMNS if column in texts}
    tables = report_results(columns, bootstrap, absent)
    against, sections = None, []
    if other is not None:
        differences = report_differences(columns[REAL], Reports(other[1], *truth, synonyms), bootstrap)
        found = {title: interval_document(one) for title, one in differences.items()}
        against = {"model": other[0], "ours_minus_theirs": found}
        sections = difference_section(f"Less the reports of {other[0]['name']}, paired by record", "figure", found)
    document = held_out.document(
        "report",
        names,
        ecgs=ecgs,
        questions=facts,
        against=against,
        training_rows=None if settings.train_rows is None else file_facts(settings.train_rows),
        request=REPORT_REQUEST,
        tables={title: [row.document() for row in rows] for title, rows in tables.items()},
        notes=[*_notes(held_out, settings, apart, synonyms), *held_out.notes(of_questions=False)],
    )
    return Evaluation(f"Reports written by {checkpoint.name}", tables, document, sections, every_margin=True)


def write_reports(
    answerer: Answerer,
    asked: Sequence[AskedRecord],
    ecg_of: Ecgs,
    folder: Path,
    *,
    ecgs: str,
    seed: int = 0,
    progress: bool = True,
) -> dict[str, list[str]]:
    """Condition → the report of each record, greedy; a broken-off run goes on from `folder`.

    What needs no ECG is written once for each background, and another patient's report is the one of that record, so
    that nothing is written twice. `ecgs` names what `ecg_of` gives.
    """
    records = {one.record_id: one.record for one in asked}
    other, told = other_patients(records.values(), seed), backgrounds(asked)
    requests: dict[Key, Request] = {}
    keys: dict[str, list[Key]] = {condition: [] for condition in CONDITIONS}
    for condition in CONDITIONS:
        for own in records:
            words = told[own] if condition == BACKGROUND else ""
            shown = shown_record(condition, own, records, other)
            asked_as = REAL if condition == SHUFFLED_ECG else condition
            key = (asked_as, shown.record_id if shown else words)
            keys[condition].append(key)
            requests.setdefault(key, (asked_as, shown, REPORT_REQUEST, words))
    mark = run_mark(weights_fingerprint(answerer.model), ecgs, REPORT_REQUEST)
    mark = run_mark(mark, list(records), sorted(told.items()), seed)
    texts = write_texts(
        *(answerer, requests, ecg_of, folder / REPORTS, mark),
        max_new_tokens=MAX_REPORT_TOKENS,
        title="reports",
        progress=progress,
    )
    return {condition: [texts[key] for key in keys[condition]] for condition in CONDITIONS}


def _reference(record: Record, which: str) -> str:
    """The true report of a record; empty where there is none."""
    if which == STATEMENTS:
        return report_from_statements(record.codes)
    if which != TRANSLATED:
        raise ValueError(f"no reference {which!r}; there are {STATEMENTS} and {TRANSLATED}")
    return translate_report(record.reports[0].text).text if record.reports else ""


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


def _notes(held_out: HeldOutSet, settings: ReportSettings, apart: Leakage, synonyms: Synonyms) -> list[str]:
    return [
        "The true report is the one made of the record's SCP statements."
        if settings.reference == STATEMENTS
        else "The true report is the collection's own, in English by the glossary.",
        "Findings are compared with the record's SCP statements whatever the true report is.",
        f"METEOR matches synonyms by {synonyms.name}." if synonyms.name else "METEOR had no WordNet: no synonyms.",
        f"{apart.patient_words(held_out.parts)} (by patient).",
        "Written greedily; the majority columns hold the most frequent training report.",
    ]
