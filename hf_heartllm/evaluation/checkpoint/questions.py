"""The whole evaluation on closed-set questions: read, check, score, calibrate, tabulate; one document of everything."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..answered import Answered, tabulate
from ..answers import MACRO_F1
from ..conditions import CONDITIONS, REAL
from ..controlled import MAJORITY, MAJORITY_AGE_SEX, ControlledResult, interval_document
from ..facts import ecg_source, file_facts, model_facts, question_facts, versions
from ..held_out import CheckpointSettings, HeldOutSet, check_some_balanced, persons_of, read_held_out
from ..heldout import evaluate, weights_fingerprint
from ..page import Evaluation, difference_section
from ..partial import run_mark
from ..people import Person, people
from ..question_file import HeldOutRecord, evenly_spaced, read_questions
from ..separation import Separation, check_separation, separation_once
from .calibration import Calibration, Statement, fit_calibration, prevalences
from .calibration_file import answer_calibration, asked_statements, check_checkpoint_folder, write_calibration
from .confidence_figures import confidence_results, draw, statement_figures
from .figures import answer_results, auroc_results, mean_auroc, measured_answers, subgroup_results
from .generated import chosen_rows, generate_answers, generated_results
from .majority import majority_answers, read_training_rows, rows_used
from .paired import compare, write_identity
from .text_control import ControlModel, control_answers

if TYPE_CHECKING:
    import pandas as pd

PUBLISHED = (
    "Published figures on choose and query questions rest on rows of ECG-QA that are not at hand: figures of this "
    "file's own question set are not to be set beside them."
)
BACKGROUND_NOTE = (
    "Under 'age and sex only' the words of models.prompts.background_text stand before the question; a model that was "
    "trained without them sees them here for the first time."
)

CONTROL_NOTE = (
    "'Trained on text alone' is the checkpoint {name} (weights {weights}), shown the real ECGs; that it was trained "
    "without them (data.ecg: none) is what whoever gave it says."
)


@dataclass(frozen=True, kw_only=True)
class QASettings(CheckpointSettings):
    """What to evaluate on, and how. Further attributes are those of `CheckpointSettings`.

    Attributes:
        tokens: codes made with the checkpoint's codec, instead of reading records; a file or folder.
        train_rows: rows of training, for the majority answers.
        calibration_questions: file of questions of fold 8.
        write_calibration: the checkpoint's folder, for what was fitted on them (`models.answer_calibration`).
        against: partial results of another checkpoint's run on the same questions, for paired differences.
        generate: number of questions to answer in free text too.
    """

    tokens: Path | None = None
    train_rows: Path | None = None
    calibration_questions: Path | None = None
    write_calibration: Path | None = None
    against: Path | None = None
    generate: int = 0


def headline(tables: Mapping[str, Sequence[ControlledResult]]) -> list[ControlledResult]:
    """The results that stand in git; macro-F1 of parts of the questions stays in the document."""
    return [
        one
        for results in tables.values()
        for one in results
        if one.figure != MACRO_F1.name or one.group.startswith("all ")
    ]


def evaluate_qa(
    model: Any, tokenizer: Any, name: str, settings: QASettings, parts: Path, control: ControlModel | None = None
) -> Evaluation:
    """Evaluate a checkpoint on a question file.

    Args:
        model: the language model.
        tokenizer: its `ECGTokenizer`.
        name: of the checkpoint, for the page.
        settings: see `QASettings`.
        parts: folder for partial results and pictures; a broken-off run goes on from there.
        control: a model trained on text alone, to stand beside this one.

    Raises:
        ValueError: if a patient of the training folds is in the test set, codes are of another codec, or the folder
            holds partial results of another run.
    """
    if settings.write_calibration is not None:
        check_checkpoint_folder(settings.write_calibration)
        if settings.calibration_questions is None:
            raise ValueError("--write-calibration: needs --calibration-questions, which it is fitted on")
    held_out = read_held_out(settings)
    table, training, whole = held_out.table, held_out.training, held_out.whole
    if settings.write_calibration is not None and training.empty:
        folds = ", ".join(map(str, settings.training_folds))
        raise ValueError(
            f"--write-calibration: PTB-XL's table has no record of folds {folds}, whose prevalences it states"
        )
    train_rows = None if settings.train_rows is None else read_training_rows(settings.train_rows)
    apart = _separation(held_out, train_rows, settings, parts)
    copied = {test for test, _ in apart.copies}
    records = [record for record in held_out.records if record.ecg_id not in copied]
    check_some_balanced(records, settings.questions)
    persons = persons_of(table, records)
    backgrounds = {record.ecg_id: persons[record.ecg_id].background for record in records}
    ecg_ids, ecgs = ecg_source(tokenizer, settings.ptbxl, settings.tokens, settings.rate)
    options: dict[str, Any] = {"seed": settings.seed, "progress": settings.progress, "ecgs": ecgs}
    outcomes = evaluate(
        model, tokenizer, records, ecg_ids, parts, conditions=CONDITIONS, backgrounds=backgrounds, **options
    )
    answered = tabulate(records, outcomes, CONDITIONS)

    names = model_facts(model, tokenizer, name)
    text_alone, control_facts = None, None
    if control is not None:
        text_alone, control_facts = control_answers(
            control, records, settings, settings.tokens, parts / "control-model", names["weights"]
        )

    majority = None
    if train_rows is not None:
        groups = {ecg_id: person.group for ecg_id, person in people(training).items()}
        majority = _majority(answered, train_rows, groups, persons)

    statements = {(q.attribute_type, q.attribute) for q in answered.questions if q.is_yes_no}
    prior = prevalences(training, statements)
    natural = prevalences(table[table["ecg_id"].isin([record.ecg_id for record in whole])], statements)
    calibration, calibration_facts = None, None
    if settings.calibration_questions is not None:
        calibration, calibration_facts = _calibration(
            model, tokenizer, settings, table, records, ecg_ids, parts / "calibration", options
        )

    bootstrap = settings.bootstrap
    measured = measured_answers(answered, majority, bootstrap, text_alone)
    areas = auroc_results(answered, bootstrap)
    tables: dict[str, Sequence[ControlledResult]] = {
        "Answers from the closed set": answer_results(answered, measured),
        "AUROC of each answer": [
            *mean_auroc([one for one in areas if "every record" not in one.group], answered.set_name),
            *areas,
        ],
        "Subgroups": subgroup_results(answered, measured, persons),
        "Confidence": confidence_results(answered, calibration, prior, natural, bootstrap),
    }
    if settings.generate:
        rows = chosen_rows(answered, settings.generate)
        mark = run_mark(weights_fingerprint(model), records, ecgs, sorted(backgrounds.items()))
        texts = generate_answers(
            model,
            tokenizer,
            answered,
            rows,
            records,
            ecg_ids,
            parts,
            mark=mark,
            backgrounds=backgrounds,
            seed=settings.seed,
            progress=settings.progress,
        )
        tables["Free text beside the closed set"] = generated_results(answered, rows, texts, measured)
    pictures = draw(answered, calibration, prior, natural, parts / "pictures")
    names_drawn = ", ".join(one.name for one in pictures)

    asked = question_facts(settings.questions, whole, records)
    write_identity(parts, names, asked)
    against, sections = None, []
    if settings.against is not None:
        other, differences = compare(answered, records, asked, settings.against, bootstrap)
        found = {title: interval_document(one) for title, one in differences.items()}
        against = {"model": other, "exact_match_ours_minus_theirs": found}
        sections = difference_section(f"Exact match less that of {other['name']}, paired by question", "group", found)

    if settings.write_calibration is not None and calibration is not None:
        fitted_on = {**(calibration_facts or {}), "prevalence_folds": list(settings.training_folds), "model": names}
        carried = answer_calibration(calibration, asked_statements(training), fitted_on)
        write_calibration(settings.write_calibration, carried)

    document = {
        "format": "heartllm evaluate qa",
        "format_version": 1,
        "settings": _plain(settings),
        "versions": versions(),
        "model": names,
        "control_model": control_facts,
        "ecgs": ecgs,
        "questions": asked,
        "against": against,
        "training_rows": None if settings.train_rows is None else file_facts(settings.train_rows),
        "ptbxl_table": file_facts(settings.ptbxl / "ptbxl_database.csv"),
        "separation": apart.document(),
        "calibration": None if calibration is None else {**calibration.document(), **(calibration_facts or {})},
        "prevalence_training_folds": {f"{kind} {what}": share for (kind, what), share in sorted(prior.items())},
        "tables": {title: [row.document() for row in rows] for title, rows in tables.items()},
        "statements": statement_figures(answered, natural),
        "notes": [
            *_notes(settings, held_out, apart, calibration, (calibration_facts or {}).get("folds_in_training", ())),
            *([] if control_facts is None else [CONTROL_NOTE.format(**control_facts)]),
            f"Reliability and risk–coverage are drawn in {parts.name}/pictures: {names_drawn}.",
        ],
    }
    return Evaluation(
        f"Questions {asked['hash']} answered by {name}", tables, document, sections, headline=headline(tables)
    )


def _separation(
    held_out: HeldOutSet, train_rows: Sequence[Mapping[str, Any]] | None, settings: QASettings, parts: Path
) -> Separation:
    """By patient each time, by waveform once."""
    records, training = held_out.records, held_out.training
    patients, given = rows_used(train_rows or ())
    patients |= held_out.training_patients
    names = {int(i): str(name) for i, name in zip(training["ecg_id"], training["filename_lr"], strict=True)}
    folder = settings.ptbxl if settings.rate == 100 else None
    check_separation(records, patients, {**given, **names}, None)  # by patient and number, each time
    mark = run_mark([record.ecg_id for record in records], sorted(names.items()), settings.rate)
    return separation_once(
        parts / "separation.jsonl",
        mark,
        lambda: check_separation(records, patients, names, folder, settings.progress),
    )


def _majority(
    answered: Answered,
    train_rows: Sequence[Mapping[str, Any]],
    groups: Mapping[int, Hashable],
    persons: Mapping[int, Person],
) -> dict[str, list[str | None]]:
    counted = majority_answers(train_rows, groups)
    asked = list(zip(answered.questions, answered.ecg_ids.tolist(), strict=True))
    return {
        MAJORITY: [counted.answer(question) for question, _ in asked],
        MAJORITY_AGE_SEX: [counted.answer(question, persons[ecg_id].group) for question, ecg_id in asked],
    }


def _calibration(
    model: Any,
    tokenizer: Any,
    settings: QASettings,
    table: pd.DataFrame,
    test: Sequence[HeldOutRecord],
    ecg_ids: Callable[[HeldOutRecord], Sequence[int]],
    parts: Path,
    options: Mapping[str, Any],
) -> tuple[Calibration, dict[str, Any]]:
    assert settings.calibration_questions is not None
    whole = read_questions(settings.calibration_questions)
    records = evenly_spaced(whole, settings.max_records)
    if both := {record.patient_id for record in records} & {record.patient_id for record in test}:
        raise ValueError(f"{len(both)} patients have calibration questions and test questions (such as {min(both)})")
    outcomes = evaluate(model, tokenizer, records, ecg_ids, parts, conditions=(REAL,), **options)
    answered = tabulate(records, outcomes, (REAL,))
    of_files = table[table["ecg_id"].isin([record.ecg_id for record in whole])]
    statements: set[Statement] = {(q.attribute_type, q.attribute) for q in answered.questions if q.is_yes_no}
    found = fit_calibration(answered, prevalences(of_files, statements))
    folds = sorted({int(fold) for fold in of_files["strat_fold"].dropna()})
    facts = {"questions_file": question_facts(settings.calibration_questions, whole, records), "folds": folds}
    return found, {**facts, "folds_in_training": [fold for fold in folds if fold in settings.training_folds]}


def _plain(settings: QASettings) -> dict[str, Any]:
    """Settings without folders of this machine."""
    return {
        key: value.name if isinstance(value, Path) else list(value) if isinstance(value, tuple) else value
        for key, value in asdict(settings).items()
        if key not in ("ptbxl", "progress")
    }


def _notes(
    settings: QASettings,
    held_out: HeldOutSet,
    apart: Separation,
    calibration: Calibration | None,
    folds_in_training: Sequence[int],
) -> list[str]:
    notes = [PUBLISHED, BACKGROUND_NOTE]
    copies = f", {len(apart.copies)} test records with the samples of a training record were left out"
    looked = apart.waveform_words() + (copies if apart.by_waveform else "")
    notes.append(f"{apart.patient_words(settings.training_folds)}; {looked}.")
    notes += held_out.notes()
    if settings.devices is not None:
        notes.append(
            f"Only records whose device begins with {settings.devices}; those of unknown devices are left out too."
        )
    if settings.max_records is not None:
        notes.append(f"Only {settings.max_records} records, evenly spaced over the file: not the whole question set.")
    if calibration is None:
        notes.append("No calibration questions were given: probabilities stand as scored.")
    elif folds_in_training:
        notes.append(
            f"The calibration questions are of fold {', '.join(map(str, folds_in_training))}, which the checkpoint was "
            "trained on: its answers there are better than on new patients, so the temperature may be too low."
        )
    if calibration is not None:
        natural = calibration.natural_temperature
        notes.append(
            f"Temperatures: {calibration.balanced_temperature:.3f} for balanced questions"
            + ("" if natural is None else f", {natural:.3f} for yes/no questions at natural prevalence")
            + f" (on {calibration.questions:,} and {calibration.yes_no_questions:,} questions of "
            f"{calibration.patients:,} patients)."
        )
    if calibration is not None and calibration.at_edge:
        notes.append(f"The temperature for {' and '.join(calibration.at_edge)} ended at an edge: it is no fit.")
    if settings.generate == 0:
        notes.append("No answers were written freely (--generate 0): all answers come from the closed set.")
    return notes
