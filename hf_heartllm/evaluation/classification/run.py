"""The whole evaluation of classification by prompt: read, check, score, tabulate; one document of everything."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...data.record import Record
from ...data.sources import LABEL_FILE, PTB_XL, RecordSource, open_records
from ..answering import asker_of
from ..controlled import ControlledResult
from ..held_out import OTHER_RECORDS, parts_words, trained_on
from ..leakage import Leakage, compare_waveforms, copies_within, training_leakage, unnamed_notes
from ..people import people
from ..provenance import Checkpoint, asked_facts
from ..question_file import AskedRecord, evenly_spaced, rows_hash
from ..runner import Evaluation, Run
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

NO_TRAINING_CLASS = "n/a where no training record has exactly one class of the task"


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
    tasks = [TASKS[task] for task in settings.tasks]
    source = _source(settings, settings.sampling_rate)
    of_file = source is not None and source.layout == LABEL_FILE
    whole = _labelled(settings, source, tasks)
    chosen = evenly_spaced(whole.asked, settings.max_records)
    training = [record for record in source or () if trained_on(record, settings.training_folds)]
    apart = _leakage(settings, chosen, training, parts) if training else None
    twice = {} if settings.data is None else copies_within([one.record for one in chosen], settings.progress)
    copied = ({test for test, _ in apart.copies} if apart else set()) | twice.keys()
    own_rates = settings.data is not None or of_file
    how = OTHER_RECORDS if own_rates else f"records at {settings.sampling_rate} Hz"
    asker = asker_of(checkpoint, settings.tokens, how, parts, **settings.asking)
    asked, refused = readable(asker, [one for one in chosen if one.record_id not in copied])
    if not asked:
        why = next(iter(refused.values()), "all are copies of training records")
        raise ValueError(f"none of the {len(chosen)} records is left to classify, such as for this: {why[:150]}")
    facts = asked_facts(rows_hash(_rows(whole)), whole.asked, asked)
    run = Run("classify", asker, facts, whole.title, source.files if source else (), settings)
    answered, persons = asker.answers(asked), people(one.record for one in asked)
    seen = settings.seen or seen_of(checkpoint.answerer.model)
    usual = training_majority(training, tasks) if training else None
    absent = _no_training(settings, source)
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
    prompts = _prompts(tasks)
    notes = [
        *_reading_notes(tasks, sets),
        *whole.notes,
        *_comparison_notes(settings, asked, training, apart, absent, of_file=of_file),
    ]
    if twice:
        named = ", ".join(f"{one} (of {other})" for one, other in twice.items())
        notes.append(f"{len(twice)} records have the samples of another of the folder and were left out: {named}.")
    if refused:
        named = "; ".join(f"{record_id} ({reason})" for record_id, reason in refused.items())
        notes.append(f"{len(refused)} records cannot be read by this codec and model and were left out: {named}.")
    if settings.max_records is not None:
        notes.append(f"Only {settings.max_records} records, evenly spaced: not the whole set.")
    document = {
        "seen_in_training": None if seen.what is None else sorted(seen.what),
        "zero_shot": {one: seen.zero_shot(one) for one in FORMATS},
        "prompts": prompts,
        "labels": whole.facts,
        "refused": refused,
        "leakage": None if apart is None else apart.document(),
        "copies_within": twice,
    }
    every = {**tables, "AUROC of each class": of_classes, "Subgroups": of_groups}
    sections = ["", "## Prompts", "", *(f"* {task}: {prompt}" for task, prompt in prompts.items())]
    headline = [row for rows in (*tables.values(), of_classes) for row in rows]
    return Evaluation(run, "Classification", every, notes, document, sections, headline=headline)


def _source(settings: ClassifySettings, rate: int) -> RecordSource | None:
    """PTB-XL, or a label file where no other folder is evaluated; None where neither was given."""
    if settings.records is None:
        return None
    source = open_records(settings.records, sampling_rate=rate)
    if source.layout != PTB_XL and (settings.data is not None or source.layout != LABEL_FILE):
        raise ValueError(
            f"{settings.records}: not PTB-XL's folder; a folder of labelled WFDB records is given with --data, a label "
            "file without --data"
        )
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
    names = {record.record_id for record in training}
    other = _source(settings, 600 - settings.sampling_rate) or ()  # the same recordings at the other rate
    both = [*training, *(record for record in other if record.record_id in names)]
    return compare_waveforms([one.record for one in asked], both, parts, progress=settings.progress)


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


def _no_training(settings: ClassifySettings, source: RecordSource | None) -> str:
    """Why nothing is known of training, where that is so."""
    if source is None:
        return "PTB-XL's folder was not given, so the training records are not at hand"
    if source.layout == LABEL_FILE:
        return "the label file has no record that the checkpoint was trained on"
    return f"PTB-XL's table has no record of {parts_words((), settings.training_folds)}"


def _reading_notes(tasks: Sequence[Task], sets: Sequence[Classified]) -> list[str]:
    """How the tables are to be read."""
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
    for task in tasks:
        for words in (ONE_CLASS, EVERY):
            found = next((one for one in sets if one.task is task and one.records == words), None)
            absent = [name for name in task.classes if found is None or name not in found.present]
            if absent:
                notes.append(f"{task.name}, {words}: n/a for {', '.join(absent)}, which no record has.")
    return notes


def _comparison_notes(
    settings: ClassifySettings,
    asked: Sequence[AskedRecord],
    training: Sequence[Record],
    apart: Leakage | None,
    no_training: str,
    *,
    of_file: bool,
) -> list[str]:
    """What was compared with the training's."""
    if apart is None:
        given = " (--records)" if settings.records is None else ""
        return [f"Not checked: whether a record is one of the training's, since {no_training}{given}."]
    trained = "the split train" if of_file else parts_words((), settings.training_folds)
    if settings.data is not None:
        return [apart.note(trained, f"Patients cannot be compared with those of {trained}")]
    return [apart.note(trained), *unnamed_notes((one.record for one in asked), training)]
