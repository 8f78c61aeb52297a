"""The whole evaluation of classification by prompt: read, check, score, tabulate; one document of everything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...data.record import Record
from ...data.sources import LABEL_FILE, PTB_XL, RecordSource, open_records
from ..answered import tabulate
from ..answering import answer_questions, ecg_source
from ..conditions import CONDITIONS
from ..controlled import ControlledResult
from ..held_out import OTHER_RECORDS, Checkpoint, parts_words, trained_on
from ..leakage import Leakage, check_copies, copies_within, leakage_once, training_leakage
from ..page import Evaluation
from ..partial import run_mark
from ..people import people
from ..provenance import asked_facts, file_facts
from ..question_file import AskedRecord, evenly_spaced, rows_hash
from ..results import MODEL_LIBRARIES, library_versions
from .figures import (
    EVERY,
    MIN_OF_CLASS,
    ONE_CLASS,
    Classified,
    class_results,
    classified,
    measured_choices,
    subgroup_results,
    task_results,
)
from .majority import majority_choices, training_majority
from .records import LabelledSet, folder_set, label_file_set, ptbxl_set, readable
from .seen import seen_of
from .settings import ClassifySettings
from .tasks import FORMATS, TASKS, Task

NO_TRAINING_FOLDS = "PTB-XL's folder was not given, so the training records are not at hand"
NO_TRAINING_CLASS = "n/a where no training record has exactly one class of the task"
CLASS_TABLE, SUBGROUPS = "AUROC of each class", "Subgroups"


def evaluate_classification(checkpoint: Checkpoint, settings: ClassifySettings, parts: Path) -> Evaluation:
    """Evaluate a checkpoint's classification by prompt.

    Args:
        checkpoint: what is evaluated.
        settings: see `ClassifySettings`.
        parts: folder for partial results; a broken-off run goes on from there.

    Raises:
        ValueError: if a patient of the training folds is in the test set, there are records of fewer than two patients,
            or the folder holds partial results of another run.
        ECGError: if the folder holds no labels.
    """
    tasks, answerer = [TASKS[task] for task in settings.tasks], checkpoint.answerer
    source = None if settings.records is None else _source(settings)
    of_file = source is not None and source.layout == LABEL_FILE
    whole = _labelled(settings, source, tasks)
    chosen = evenly_spaced(whole.asked, settings.max_records)
    records = [one.record for one in chosen]
    training = [record for record in source or () if trained_on(record, settings.training_folds)]
    absent = NO_TRAINING_FOLDS
    if source is not None:
        absent = f"PTB-XL's table has no record of {parts_words((), settings.training_folds)}"
    if of_file:
        absent = "the label file has no record that the checkpoint was trained on"
    unnamed = 0 if settings.data is not None else sum(record.patient_id is None for record in training)
    apart = _leakage(settings, chosen, training, parts) if training else None
    twice = {} if settings.data is None else copies_within(records, settings.progress)
    copied = ({test for test, _ in apart.copies} if apart else set()) | twice.keys()
    own_rates = settings.data is not None or of_file
    how = OTHER_RECORDS if own_rates else f"records at {settings.sampling_rate} Hz"
    ecg_of, ecgs = ecg_source(answerer, settings.tokens, how)
    kept = [one for one in chosen if one.record_id not in copied]
    asked, refused = readable(answerer, kept, ecg_of, settings.progress)
    if not asked:
        why = next(iter(refused.values()), "all are copies of training records")
        raise ValueError(f"none of the {len(chosen)} records is left to classify, such as for this: {why[:150]}")
    persons = people(one.record for one in asked)
    outcomes = answer_questions(
        *(answerer, asked, ecg_of, parts),
        conditions=CONDITIONS,
        ecgs=ecgs,
        **settings.asking,
    )
    answered = tabulate(asked, outcomes, CONDITIONS)
    seen = settings.seen or seen_of(answerer.model)
    usual = training_majority(training, tasks, all_known=not of_file) if training else None
    tables: dict[str, list[ControlledResult]] = {}
    of_classes: list[ControlledResult] = []
    of_groups: list[ControlledResult] = []
    sets: list[Classified] = []
    for task in tasks:
        for found in classified(answered, task, whole.unstated):
            sets.append(found)
            words = seen.words(found.prompt_format)
            majority = None if usual is None else majority_choices(usual, found, persons)
            measured = measured_choices(
                found, majority, absent if usual is None else NO_TRAINING_CLASS, settings.bootstrap
            )
            tables.setdefault(task.name.capitalize(), []).extend(task_results(found, measured, words))
            of_classes += class_results(found, words, settings.bootstrap)
            if found.records == ONE_CLASS:
                of_groups += subgroup_results(found, measured, persons, words)
    tables |= {CLASS_TABLE: of_classes, SUBGROUPS: of_groups}
    prompts = _prompts(tasks)
    document = {
        "format": "heartllm evaluate classify",
        "format_version": 2,
        "settings": {name: one for name, one in settings.plain().items() if of_file or name != "splits"},
        "versions": library_versions(MODEL_LIBRARIES),
        "model": checkpoint.facts(),
        "seen_in_training": None if seen.what is None else sorted(seen.what),
        "zero_shot": {one: seen.zero_shot(one) for one in FORMATS},
        "ecgs": ecgs,
        "data": whole.title,
        "questions": asked_facts(rows_hash(_rows(whole)), whole.asked, asked),
        "prompts": prompts,
        "labels": whole.facts,
        "refused": refused,
        "tables_read": [file_facts(path) for path in (source.files if source else ())],
        "leakage": None if apart is None else apart.document(),
        "copies_within": twice,
        "tables": {title: [row.document() for row in rows] for title, rows in tables.items()},
        "notes": _notes(settings, whole, tasks, sets, apart, absent, unnamed, twice, refused),
    }
    section = ["", "## Prompts", "", *(f"* {task}: {prompt}" for task, prompt in prompts.items())]
    headline = [row for title, rows in tables.items() if title != SUBGROUPS for row in rows]
    return Evaluation(f"Classification by {checkpoint.name}", tables, document, section, headline=headline)


def _ptbxl(folder: Path, rate: int) -> RecordSource:
    source = open_records(folder, sampling_rate=rate)
    if source.layout != PTB_XL:
        raise ValueError(
            f"{folder}: not PTB-XL's folder; a folder of labelled WFDB records is given with --data, a label file "
            "without --data"
        )
    return source


def _source(settings: ClassifySettings) -> RecordSource:
    """PTB-XL, or a label file where no other folder is evaluated."""
    assert settings.records is not None
    source = open_records(settings.records, sampling_rate=settings.sampling_rate)
    if settings.data is not None or source.layout != LABEL_FILE:
        return _ptbxl(settings.records, settings.sampling_rate)
    return source


def _labelled(settings: ClassifySettings, source: RecordSource | None, tasks: Sequence[Task]) -> LabelledSet:
    if settings.data is not None:
        return folder_set(settings.data, tasks)
    if source is None:
        raise ValueError("give PTB-XL's folder, or a WFDB folder with labels")
    if source.layout == LABEL_FILE:
        return label_file_set(source, settings.splits, tasks)
    return ptbxl_set(source, settings.folds, tasks)


def _leakage(
    settings: ClassifySettings, asked: Sequence[AskedRecord], training: Sequence[Record], parts: Path
) -> Leakage:
    """Patients and waveforms against the training folds."""
    if settings.data is None:
        return training_leakage(asked, training, parts=parts, rate=settings.sampling_rate, progress=settings.progress)
    assert settings.records is not None
    records, names = [one.record for one in asked], {record.record_id for record in training}
    other = _ptbxl(settings.records, 600 - settings.sampling_rate)  # the same recordings at the other rate
    both = [*training, *(record for record in other if record.record_id in names)]
    mark = run_mark([record.record_id for record in records], sorted(names))
    return leakage_once(parts / "leakage.jsonl", mark, lambda: check_copies(records, both, settings.progress))


def _rows(whole: LabelledSet) -> list[dict[str, Any]]:
    return [
        {"record": one.record_id, "question": asked.text, "answer": asked.answer, "answers": asked.answer_set}
        for one in whole.asked
        for asked in one.questions
    ]


def _prompts(tasks: Sequence[Task]) -> dict[str, str]:
    found = {}
    for task in tasks:
        found[f"{task.name}, {FORMATS[0]}"] = task.letter_question()
        found[f"{task.name}, {FORMATS[1]}"] = " / ".join(task.class_question(name) for name in task.classes)
    return found


def _notes(
    settings: ClassifySettings,
    whole: LabelledSet,
    tasks: Sequence[Task],
    sets: Sequence[Classified],
    apart: Leakage | None,
    no_training: str,
    unnamed: int,
    twice: Mapping[str, str],
    refused: Mapping[str, str],
) -> list[str]:
    notes = [
        "Records with one class: exactly one of the task's classes, none left open; chosen is the likeliest letter, or "
        "the class with the likeliest yes. Every record: chosen is each class whose yes is likelier than no; accuracy "
        "asks for all classes of the record and no other.",
        "A class that no record has is left out of the means over classes; one that was never chosen has precision 0.",
        "The letter choice is worded as in ECG-LM's Table 1, which prints no prompt for form. ECG-LM's test records "
        "and its way from several classes to one letter are not published: its figures rest on other records.",
        f"A class with fewer than {MIN_OF_CLASS} records with it, or without it, counts in macro-AUROC alone.",
        "Without the question only the possible answers are known, so that every class has the same yes.",
    ]
    of_file = "splits" in whole.facts
    trained = "the split train" if of_file else parts_words((), settings.training_folds)
    for task in tasks:
        for words in (ONE_CLASS, EVERY):
            found = next((one for one in sets if one.task is task and one.records == words), None)
            absent = [name for name in task.classes if found is None or name not in found.present]
            if absent:
                notes.append(f"{task.name}, {words}: n/a for {', '.join(absent)}, which no record has.")
    if settings.data is not None:
        notes += _folder_notes(whole)
    if of_file:
        notes += _file_notes(whole)
    if apart is None:
        given = " (--records)" if settings.records is None else ""
        notes.append(f"Not checked: whether a record is one of the training's, since {no_training}{given}.")
    else:
        opening = (
            apart.patient_words(trained)
            if settings.data is None
            else f"Patients cannot be compared with those of {trained}"
        )
        looked = apart.waveform_words()
        if apart.by_waveform:
            copies = ", ".join(test for test, _ in apart.copies)
            looked += "" if settings.data is None else ", by their samples as stored"
            looked += f"; {len(apart.copies)} copies were left out{': ' if copies else ''}{copies}"
        notes.append(f"{opening}; {looked}.")
        if unnamed:
            notes.append(f"{unnamed} training records name no patient, so patients were not compared with theirs.")
    if twice:
        named = ", ".join(f"{one} (of {other})" for one, other in twice.items())
        notes.append(f"{len(twice)} records have the samples of another of the folder and were left out: {named}.")
    if unknown := whole.facts.get("records_without_patient"):
        notes.append(f"{unknown} records of these folds name no patient and were left out: theirs cannot be compared.")
    if refused:
        named = "; ".join(f"{record_id} ({reason})" for record_id, reason in refused.items())
        notes.append(f"{len(refused)} records cannot be read by this codec and model and were left out: {named}.")
    if settings.max_records is not None:
        notes.append(f"Only {settings.max_records} records, evenly spaced: not the whole set.")
    return notes


def _file_notes(whole: LabelledSet) -> list[str]:
    facts = whole.facts
    notes = [*facts["notes"], "What a record's labels leave open is not counted for it."]
    if unknown := facts["records_of_unknown_patients"]:
        notes.append(
            f"{unknown} records name no patient: each counts as a patient of its own, so intervals are too narrow "
            "where a patient has several, and they were not compared with the training's."
        )
    if whole.unstated:
        notes.append(f"No label states {', '.join(facts['classes_not_stated'])}: they are left out.")
    if facts["records_without_question"]:
        notes.append(f"{len(facts['records_without_question'])} records have no known class of any task.")
    return notes


def _folder_notes(whole: LabelledSet) -> list[str]:
    facts = whole.facts
    layouts = ", ".join(f"{count} records in the layout of {name}" for name, count in facts["layouts"].items())
    notes = [
        f"{layouts}; {facts['headers_without_labels']} headers without labels. These layouts name no patients: every "
        "record counts as a patient of its own, so intervals are too narrow where a patient has several.",
        "Labels are read by hf_heartllm.labels.foreign_terms. A label that could mean a class but says something wider "
        "leaves it open, and the record is not counted for it.",
    ]
    if facts["unknown_labels"]:
        named = ", ".join(f"{label} ({count} records)" for label, count in facts["unknown_labels"].items())
        notes.append(f"Labels in no table: {named}. On their records only what other labels state is counted.")
    if whole.unstated:
        notes.append(
            f"No label of the folder states {', '.join(facts['classes_not_stated'])}; its collection may have no word "
            "for them, so that on every record they are left out."
        )
    if facts["records_without_question"]:
        notes.append(f"{len(facts['records_without_question'])} records have no known class of any task.")
    return notes
