"""The whole evaluation of classification by prompt: read, check, score, tabulate; one document of everything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...labels.ptbxl import read_ptbxl_table
from ..answered import tabulate
from ..conditions import CONDITIONS
from ..controlled import ControlledResult
from ..facts import ecg_source, file_facts, model_facts, versions
from ..held_out import RunSettings
from ..heldout import evaluate, longest_window, record_reader
from ..page import Evaluation
from ..partial import run_mark
from ..question_file import HeldOutRecord, evenly_spaced, rows_hash
from ..separation import Separation, check_copies, check_separation, copies_within, separation_once
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
from .majority import TrainingClasses
from .records import LabelledSet, folder_set, ptbxl_set, taken_by_codec
from .seen import Seen, seen_of
from .tasks import FORMATS, TASKS, Task

if TYPE_CHECKING:
    import pandas as pd

NO_TRAINING_FOLDS = "PTB-XL's folder was not given, so the training records are not at hand"
NO_TRAINING_CLASS = "n/a where no training record has exactly one class of the task"
CLASS_TABLE, SUBGROUPS = "AUROC of each class", "Subgroups"


@dataclass(frozen=True, kw_only=True)
class ClassifySettings(RunSettings):
    """What to evaluate on, and how. Further attributes are those of `RunSettings`.

    Attributes:
        ptbxl: folder of PTB-XL: the test records, or beside `data` what the checkpoint was trained on.
        data: another WFDB folder whose headers hold labels.
        folds: of PTB-XL's test records.
        tasks: some of `TASKS`.
        tokens: codes made with the checkpoint's codec, instead of reading PTB-XL's records; a file or folder.
        seen: what the checkpoint saw in training; None: what its configuration says.
    """

    ptbxl: Path | None = None
    data: Path | None = None
    folds: tuple[int, ...] = (9,)
    tasks: tuple[str, ...] = tuple(TASKS)
    tokens: Path | None = None
    seen: Seen | None = None


def evaluate_classification(
    model: Any, tokenizer: Any, name: str, settings: ClassifySettings, parts: Path
) -> Evaluation:
    """Evaluate a checkpoint's classification by prompt.

    Args:
        model: the language model.
        tokenizer: its `ECGTokenizer`.
        name: of the checkpoint, for the page.
        settings: see `ClassifySettings`.
        parts: folder for partial results; a broken-off run goes on from there.

    Raises:
        ValueError: if a patient of the training folds is in the test set, there are records of fewer than two patients,
            or the folder holds partial results of another run.
        ECGError: if the folder holds no labels.
    """
    tasks = [TASKS[task] for task in settings.tasks]
    table = None if settings.ptbxl is None else read_ptbxl_table(settings.ptbxl)
    training = None if table is None else table[table["strat_fold"].isin(settings.training_folds)]
    whole = _labelled(settings, table, tasks)
    chosen = evenly_spaced(whole.records, settings.max_records)
    if training is not None and training.empty:
        training = None
    absent = NO_TRAINING_FOLDS if table is None else f"PTB-XL's table has no record of folds {_folds(settings)}"
    unnamed = 0 if training is None or settings.data is not None else int(training["patient_id"].isna().sum())
    apart = _separation(settings, chosen, training, parts)
    names = {} if settings.data is None else {record.ecg_id: record.filename_lr for record in chosen}
    twice = {} if settings.data is None else copies_within(settings.data, names, settings.progress)
    copied = ({test for test, _ in apart.copies} if apart else set()) | twice.keys()
    if settings.data is None:
        assert settings.ptbxl is not None
        ecg_ids, ecgs = ecg_source(tokenizer, settings.ptbxl, settings.tokens, settings.rate)
    else:
        ecg_ids = record_reader(tokenizer, settings.data)
        ecgs = f"codec {tokenizer.codec.fingerprint()}, records of a folder at their own rates"
    context = None  # longer records are read in windows, where the checkpoint says of which length
    if longest_window(tokenizer) is None:
        context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    kept = [record for record in chosen if record.ecg_id not in copied]
    records, refused = taken_by_codec(kept, ecg_ids, context, settings.progress)
    if not records:
        why = next(iter(refused.values()), "all are copies of training records")
        raise ValueError(f"none of the {len(chosen)} records is left to classify, such as for this: {why[:150]}")
    answered = tabulate(
        records,
        evaluate(
            model,
            tokenizer,
            records,
            ecg_ids,
            parts,
            conditions=CONDITIONS,
            backgrounds={record.ecg_id: whole.persons[record.ecg_id].background for record in records},
            seed=settings.seed,
            progress=settings.progress,
            ecgs=ecgs,
        ),
        CONDITIONS,
    )
    seen = settings.seen or seen_of(model)
    usual = None if training is None else TrainingClasses(training)
    tables: dict[str, list[ControlledResult]] = {}
    of_classes: list[ControlledResult] = []
    of_groups: list[ControlledResult] = []
    sets: list[Classified] = []
    for task in tasks:
        for found in classified(answered, task, whole.unstated):
            sets.append(found)
            words = seen.words(found.prompt_format)
            majority = None if usual is None else usual.choices(found, whole.persons)
            why = absent if usual is None else NO_TRAINING_CLASS
            measured = measured_choices(found, majority, why, settings.bootstrap)
            tables.setdefault(task.name.capitalize(), []).extend(task_results(found, measured, words))
            of_classes += class_results(found, words, settings.bootstrap)
            if found.records == ONE_CLASS:
                of_groups += subgroup_results(found, measured, whole.persons, words)
    tables |= {CLASS_TABLE: of_classes, SUBGROUPS: of_groups}
    prompts = _prompts(tasks)
    document = {
        "format": "heartllm evaluate classify",
        "format_version": 1,
        "settings": _plain(settings),
        "versions": versions(),
        "model": model_facts(model, tokenizer, name),
        "seen_in_training": None if seen.what is None else sorted(seen.what),
        "zero_shot": {one: seen.zero_shot(one) for one in FORMATS},
        "ecgs": ecgs,
        "data": whole.title,
        "questions": _question_facts(whole, records),
        "prompts": prompts,
        "labels": whole.facts,
        "refused": {whole.names[ecg_id]: reason for ecg_id, reason in refused.items()},
        "ptbxl_table": None if settings.ptbxl is None else file_facts(settings.ptbxl / "ptbxl_database.csv"),
        "separation": None if apart is None else apart.document(),
        "copies_within": {whole.names[one]: whole.names[other] for one, other in twice.items()},
        "tables": {title: [row.document() for row in rows] for title, rows in tables.items()},
        "notes": _notes(settings, whole, tasks, sets, apart, absent, unnamed, twice, refused),
    }
    section = ["", "## Prompts", "", *(f"* {task}: {prompt}" for task, prompt in prompts.items())]
    headline = [row for title, rows in tables.items() if title != SUBGROUPS for row in rows]
    return Evaluation(f"Classification by {name}", tables, document, section, headline=headline)


def _labelled(settings: ClassifySettings, table: pd.DataFrame | None, tasks: Sequence[Task]) -> LabelledSet:
    if settings.data is not None:
        return folder_set(settings.data, tasks)
    if table is None:
        raise ValueError("give PTB-XL's folder, or a WFDB folder with labels")
    return ptbxl_set(table, settings.folds, tasks)


def _separation(
    settings: ClassifySettings, records: Sequence[HeldOutRecord], training: pd.DataFrame | None, parts: Path
) -> Separation | None:
    """Patients and waveforms against the training folds; None without PTB-XL's folder."""
    if training is None or settings.ptbxl is None:
        return None
    ptbxl, data, path = settings.ptbxl, settings.data, parts / "separation.jsonl"
    at_100 = {int(i): str(name) for i, name in zip(training["ecg_id"], training["filename_lr"], strict=True)}
    if data is not None:
        names = {record.ecg_id: record.filename_lr for record in records}
        at_500 = dict(zip(at_100, training["filename_hr"].astype(str), strict=True))
        both = {ecg_id: (name, at_500[ecg_id]) for ecg_id, name in at_100.items()}
        mark = run_mark(sorted(names.items()), sorted(both.items()))
        return separation_once(path, mark, lambda: check_copies(data, names, ptbxl, both, settings.progress))
    patients = {int(patient) for patient in training["patient_id"].dropna()}
    check_separation(records, patients, at_100, None)  # by patient and number, each time
    folder = ptbxl if settings.rate == 100 else None
    mark = run_mark([record.ecg_id for record in records], sorted(at_100.items()), settings.rate)
    return separation_once(path, mark, lambda: check_separation(records, patients, at_100, folder, settings.progress))


def _plain(settings: ClassifySettings) -> dict[str, Any]:
    """Without the folders of this machine."""
    plain = {key: one.name if isinstance(one, Path) else one for key, one in asdict(settings).items()}
    return {key: one for key, one in plain.items() if key not in ("ptbxl", "data", "progress", "seen")}


def _folds(settings: ClassifySettings) -> str:
    return ", ".join(map(str, settings.training_folds))


def _question_facts(whole: LabelledSet, records: Sequence[HeldOutRecord]) -> dict[str, Any]:
    rows = [
        {"record": whole.names[record.ecg_id], "question": one.question, "answer": one.answer, "answers": one.answers}
        for record in whole.records
        for one in record.questions
    ]
    return {
        "hash": rows_hash(rows),
        "all": len(rows),
        "asked": sum(len(record.questions) for record in records),
        "records": len(records),
        "patients": len({record.patient_id for record in records}),
    }


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
    apart: Separation | None,
    no_training: str,
    unnamed: int,
    twice: Mapping[int, int],
    refused: Mapping[int, str],
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
    for task in tasks:
        for words in (ONE_CLASS, EVERY):
            found = next((one for one in sets if one.task is task and one.records == words), None)
            absent = [name for name in task.classes if found is None or name not in found.present]
            if absent:
                notes.append(f"{task.name}, {words}: n/a for {', '.join(absent)}, which no record has.")
    if settings.data is not None:
        notes += _folder_notes(whole)
    if apart is None:
        given = " (--ptbxl)" if settings.ptbxl is None else ""
        notes.append(f"Not checked: whether a record is one of the training's, since {no_training}{given}.")
    else:
        opening = (
            apart.patient_words(settings.training_folds)
            if settings.data is None
            else f"Patients cannot be compared with those of folds {_folds(settings)}"
        )
        looked = apart.waveform_words()
        if apart.by_waveform:
            copies = ", ".join(whole.names[test] for test, _ in apart.copies)
            looked += "" if settings.data is None else ", by their samples as stored"
            looked += f"; {len(apart.copies)} copies were left out{': ' if copies else ''}{copies}"
        notes.append(f"{opening}; {looked}.")
        if unnamed:
            notes.append(f"{unnamed} training records name no patient, so patients were not compared with theirs.")
    if twice:
        named = ", ".join(f"{whole.names[one]} (of {whole.names[other]})" for one, other in twice.items())
        notes.append(f"{len(twice)} records have the samples of another of the folder and were left out: {named}.")
    if unknown := whole.facts.get("records_without_patient"):
        notes.append(f"{unknown} records of these folds name no patient and were left out: theirs cannot be compared.")
    if refused:
        named = "; ".join(f"{whole.names[ecg_id]} ({reason})" for ecg_id, reason in refused.items())
        notes.append(f"{len(refused)} records cannot be read by this codec and model and were left out: {named}.")
    if settings.max_records is not None:
        notes.append(f"Only {settings.max_records} records, evenly spaced: not the whole set.")
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
