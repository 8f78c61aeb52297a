"""Reports that a checkpoint writes, scored by words and by findings, with the same controls as its answers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...labels.english_reports import report_from_statements, translate_report
from ...labels.ptbxl import row_source
from ...models.pipeline_ecg import MAX_REPORT_TOKENS, REPORT_REQUEST
from ..conditions import CONDITIONS, CONTROL, DEAF, REAL, condition_prompt, other_patients
from ..controlled import COLUMNS, MAJORITIES, MAJORITY, MAJORITY_AGE_SEX, interval_document
from ..facts import ecg_source, file_facts, model_facts, question_facts, versions
from ..generation import generate_texts
from ..held_out import CheckpointSettings, persons_of, read_held_out
from ..heldout import one_window, weights_fingerprint
from ..intervals import Bootstrap
from ..page import Evaluation, difference_section
from ..partial import PartialResults, run_mark
from ..people import MIN_SUPPORT, people
from ..question_file import HeldOutRecord, evenly_spaced
from ..report_metrics import Reports
from ..separation import Separation, check_separation
from ..wordnet import NO_SYNONYMS, Synonyms
from .figures import NO_TRAINING_ROWS
from .majority import read_training_rows, rows_used
from .paired import write_identity
from .report_rows import REPORTS, other_reports, report_differences, report_results

STATEMENTS, TRANSLATED = "statements", "translated"
REFERENCES = (STATEMENTS, TRANSLATED)
"""The report made of a record's SCP statements, or PTB-XL's own report in English (official rows only)."""

BATCH = 32


@dataclass(frozen=True, kw_only=True)
class ReportSettings(CheckpointSettings):
    """What to evaluate on, and how. Further attributes are those of `CheckpointSettings`.

    Attributes:
        tokens: codes made with the checkpoint's codec, instead of reading records; a file or folder.
        train_rows: rows of training, for the majority report.
        reference: one of `REFERENCES`, the true report.
        against: partial results of another checkpoint's run on the same records, for paired differences.
    """

    tokens: Path | None = None
    train_rows: Path | None = None
    reference: str = STATEMENTS
    against: Path | None = None


def evaluate_reports(
    model: Any,
    tokenizer: Any,
    name: str,
    settings: ReportSettings,
    parts: Path,
    synonyms: Synonyms = NO_SYNONYMS,
) -> Evaluation:
    """Let a checkpoint write the reports of the records that a question file names, and score them.

    Args:
        model: the language model.
        tokenizer: its `ECGTokenizer`.
        name: of the checkpoint, for the page.
        settings: see `ReportSettings`.
        parts: folder for partial results.
        synonyms: from `evaluation.wordnet.find_wordnet`, for METEOR.

    Raises:
        ValueError: if a patient of the training folds is among the records, fewer than two records have a reference,
            or the folder holds partial results of another run.
        MissingLibraryError: without the libraries of the extra `eval`.
    """
    held_out = read_held_out(settings)
    table, training, whole = held_out.table, held_out.training, held_out.whole
    references = _references(table, settings.reference)
    records = evenly_spaced([record for record in whole if references.get(record.ecg_id)], settings.max_records)
    if not records:
        raise ValueError(f"{settings.questions}: no record of it has a true report ({settings.reference})")
    train_rows = None if settings.train_rows is None else read_training_rows(settings.train_rows)
    patients, given = rows_used(train_rows or ())
    patients |= held_out.training_patients
    of_folds = dict.fromkeys(held_out.training["ecg_id"], "")
    apart = check_separation(records, patients, {**given, **of_folds}, None)
    persons = persons_of(table, records)
    backgrounds = {record.ecg_id: persons[record.ecg_id].background for record in records}
    ecg_ids, ecgs = ecg_source(tokenizer, settings.ptbxl, settings.tokens, settings.rate)
    texts = write_reports(
        model,
        tokenizer,
        records,
        ecg_ids,
        parts,
        mark=run_mark(weights_fingerprint(model), ecgs, REPORT_REQUEST),
        backgrounds=backgrounds,
        seed=settings.seed,
        progress=settings.progress,
    )
    absent: dict[str, str] = dict.fromkeys(MAJORITIES, NO_TRAINING_ROWS)
    if train_rows is not None:
        groups = {ecg_id: person.group for ecg_id, person in people(training).items()}
        wanted = [persons[record.ecg_id].group for record in records]
        texts |= _majority_reports(train_rows, groups, wanted)
        absent = {}
    asked, names = question_facts(settings.questions, whole, records), model_facts(model, tokenizer, name)
    write_identity(parts, names, asked)
    other = None if settings.against is None else other_reports(settings.against, asked, records)
    codes = dict(zip(table["ecg_id"].astype(int), table["scp_codes"], strict=True))
    bootstrap = Bootstrap([str(record.patient_id) for record in records], **settings.bootstrap)
    truth = [references[record.ecg_id] for record in records], [codes[record.ecg_id] for record in records]
    columns = {column: Reports(texts[column], *truth, synonyms) for column in COLUMNS if column in texts}
    tables = report_results(columns, bootstrap, absent)
    against, sections = None, []
    if other is not None:
        differences = report_differences(columns[REAL], Reports(other[1], *truth, synonyms), bootstrap)
        found = {title: interval_document(one) for title, one in differences.items()}
        against = {"model": other[0], "ours_minus_theirs": found}
        sections = difference_section(f"Less the reports of {other[0]['name']}, paired by record", "figure", found)
    plain = {k: v.name if isinstance(v, Path) else v for k, v in asdict(settings).items()}
    document = {
        "format": "heartllm evaluate report",
        "format_version": 1,
        "settings": {key: value for key, value in plain.items() if key not in ("ptbxl", "progress")},
        "versions": versions(),
        "model": names,
        "ecgs": ecgs,
        "questions": asked,
        "against": against,
        "training_rows": None if settings.train_rows is None else file_facts(settings.train_rows),
        "ptbxl_table": file_facts(settings.ptbxl / "ptbxl_database.csv"),
        "request": REPORT_REQUEST,
        "tables": {title: [row.document() for row in rows] for title, rows in tables.items()},
        "notes": [*_notes(settings, apart, synonyms), *held_out.notes(of_questions=False)],
    }
    return Evaluation(f"Reports written by {name}", tables, document, sections, every_margin=True)


def write_reports(
    model: Any,
    tokenizer: Any,
    records: Sequence[HeldOutRecord],
    ecg_ids: Callable[[HeldOutRecord], Sequence[int]],
    folder: Path,
    *,
    mark: str,
    backgrounds: Mapping[int, str],
    seed: int = 0,
    progress: bool = True,
) -> dict[str, list[str]]:
    """Condition → the report of each record, greedy, in batches; a broken-off run goes on from `folder`.

    What needs no ECG is written once for each background.
    """
    from tqdm.auto import tqdm

    by_id, other = {record.ecg_id: record for record in records}, other_patients(records, seed)
    mark = run_mark(mark, [record.ecg_id for record in records], sorted(backgrounds.items()), seed)
    todo: dict[tuple[str, Hashable], tuple[HeldOutRecord, str]] = {}
    keys: dict[str, list[tuple[str, Hashable]]] = {condition: [] for condition in CONDITIONS}
    for condition in CONDITIONS:
        for record in records:
            told = backgrounds.get(record.ecg_id, "")
            shown = other[record.ecg_id] if condition == CONTROL else record.ecg_id
            # Another patient's report is the one of that record, so nothing is written twice.
            key: tuple[str, Hashable] = (REAL if condition == CONTROL else condition, shown)
            if condition not in (REAL, CONTROL, DEAF):
                key = (condition, told if condition == "background" else "")
            keys[condition].append(key)
            todo.setdefault(key, (by_id[shown], told))
    with PartialResults(folder / REPORTS, mark) as partial:
        texts = {(line["condition"], line["of"]): line["text"] for line in partial.lines}
        left = [key for key in todo if key not in texts]
        with tqdm(total=len(left), desc="reports", unit="report", disable=not progress) as bar:
            for first in range(0, len(left), BATCH):
                batch = left[first : first + BATCH]
                prompts = []
                for condition, of in batch:
                    record, told = todo[condition, of]
                    needed = None
                    if condition in (REAL, DEAF):
                        needed = one_window(tokenizer, ecg_ids(record), record.ecg_id)
                    prompts.append(condition_prompt(tokenizer, condition, REPORT_REQUEST, needed, told))
                for index, text in generate_texts(
                    model, tokenizer, prompts, max_new_tokens=MAX_REPORT_TOKENS, batch_size=BATCH
                ):
                    texts[batch[index]] = text
                    partial.append({"condition": batch[index][0], "of": batch[index][1], "text": text})
                bar.update(len(batch))
    return {condition: [texts[key] for key in keys[condition]] for condition in CONDITIONS}


def _references(table: Any, which: str) -> dict[int, str]:
    if which == STATEMENTS:
        return {int(i): report_from_statements(codes) for i, codes in zip(table["ecg_id"], table["scp_codes"])}
    if which != TRANSLATED:
        raise ValueError(f"no reference {which!r}; there are {', '.join(REFERENCES)}")
    found = {}
    for _, row in table.iterrows():
        if isinstance(row["report"], str) and row_source(row) != "reconstructed":
            found[int(row["ecg_id"])] = translate_report(row["report"]).text
    return found


def _majority_reports(
    rows: Sequence[Mapping[str, Any]], groups: Mapping[int, Hashable], wanted: Sequence[Hashable]
) -> dict[str, list[str]]:
    """The most frequent training report, and that of the same age band and sex where it occurs often enough."""
    overall: Counter[str] = Counter()
    by_group: dict[Hashable, Counter[str]] = defaultdict(Counter)
    for row in rows:
        if row["report"]:
            overall[row["report"]] += 1
            by_group[groups.get(row["ecg_id"])][row["report"]] += 1
    if not overall:
        raise ValueError("the training rows hold no reports")
    usual = overall.most_common(1)[0][0]
    of_group = {group: found.most_common(1)[0][0] for group, found in by_group.items() if found.total() >= MIN_SUPPORT}
    return {MAJORITY: [usual] * len(wanted), MAJORITY_AGE_SEX: [of_group.get(group, usual) for group in wanted]}


def _notes(settings: ReportSettings, apart: Separation, synonyms: Synonyms) -> list[str]:
    notes = [
        "The true report is the one made of the record's SCP statements."
        if settings.reference == STATEMENTS
        else "The true report is PTB-XL's own, in English by the glossary; official rows only.",
        "Findings are compared with the record's SCP statements whatever the true report is.",
        f"METEOR matches synonyms by {synonyms.name}." if synonyms.name else "METEOR had no WordNet: no synonyms.",
        f"{apart.patient_words(settings.training_folds)} (by patient number).",
        "Written greedily; the majority columns hold the most frequent training report.",
    ]
    if settings.max_records is not None:
        notes.append(f"Only {settings.max_records} records, evenly spaced over the file.")
    return notes
