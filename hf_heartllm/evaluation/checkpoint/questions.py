"""The whole evaluation on closed-set questions: read, check, score, calibrate, tabulate; one document of everything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...data.record import Record
from ...data.sources import PTB_XL
from ..answered import tabulate
from ..answering import answer_questions
from ..answers import MACRO_F1
from ..conditions import CONDITIONS, REAL
from ..controlled import ControlledResult, interval_document
from ..held_out import Checkpoint, HeldOutSet, check_some_balanced, part_of, read_held_out
from ..leakage import Leakage, training_leakage
from ..majority import majority_answers, read_training_rows
from ..page import Evaluation, difference_section
from ..people import people
from ..provenance import file_facts, question_facts
from ..question_file import AskedRecord, evenly_spaced, read_questions
from ..settings import QASettings
from .calibration import Calibration, Statement, fit_calibration, prevalences
from .calibration_file import asked_statements, check_checkpoint_folder, prevalence_facts, write_calibration
from .confidence_figures import confidence_results, draw, statement_figures
from .figures import answer_results, auroc_results, mean_auroc, measured_answers, subgroup_results
from .generated import generate_answers, generated_results
from .paired import compare, write_identity

PUBLISHED = (
    "Published figures on choose and query questions rest on rows of ECG-QA that are not at hand: figures of this "
    "file's own question set are not to be set beside them."
)
BACKGROUND_NOTE = (
    "Under 'age and sex only' the words of models.prompts.background_text stand before the question; a model that was "
    "trained without them sees them here for the first time."
)

NOTHING_WRITTEN = "No answers were written freely (--generate 0): all come from the closed set."
CONTROL_NOTE = (
    "'Trained on text alone' is the checkpoint {name} (weights {weights}), shown the real ECGs; that it was trained "
    "without them (data.ecg: none) is what whoever gave it says."
)


def headline(tables: Mapping[str, Sequence[ControlledResult]]) -> list[ControlledResult]:
    """The results that stand in git; macro-F1 of parts of the questions stays in the document."""
    return [
        one
        for results in tables.values()
        for one in results
        if one.figure != MACRO_F1.name or one.group.startswith("all ")
    ]


def evaluate_qa(
    checkpoint: Checkpoint, settings: QASettings, parts: Path, control: Checkpoint | None = None
) -> Evaluation:
    """Evaluate a checkpoint on a question file.

    Args:
        checkpoint: what is evaluated.
        settings: see `QASettings`.
        parts: folder for partial results and pictures; a broken-off run goes on from there.
        control: a model trained on text alone and shown the real ECGs, to stand beside this one. What it answers right
            it has from the questions' wording and the answers' frequencies, or from being shown anything at all.

    Raises:
        ValueError: if a patient of training is in the test set, codes are of another codec, or the folder holds partial
            results of another run.
    """
    if settings.write_calibration is not None:
        check_checkpoint_folder(settings.write_calibration)
        if settings.calibration_questions is None:
            raise ValueError("--write-calibration: needs --calibration-questions, which it is fitted on")
    held_out = read_held_out(settings)
    training = held_out.training
    if settings.write_calibration is not None and not training:
        raise ValueError(f"--write-calibration: no record is of {held_out.parts}, whose prevalences it states")
    train_rows = None if settings.train_rows is None else read_training_rows(settings.train_rows)
    apart = training_leakage(
        *(held_out.asked, training, train_rows or ()),
        parts=parts,
        rate=settings.sampling_rate,
        progress=settings.progress,
    )
    copied = {test for test, _ in apart.copies}
    asked = [one for one in held_out.asked if one.record_id not in copied]
    check_some_balanced(asked, settings.questions)
    persons = held_out.persons()
    ecg_of, ecgs = held_out.ecgs(checkpoint.answerer, settings.tokens)
    options = settings.asking
    outcomes = answer_questions(checkpoint.answerer, asked, ecg_of, parts, conditions=CONDITIONS, ecgs=ecgs, **options)
    answered = tabulate(asked, outcomes, CONDITIONS)
    names = checkpoint.facts()
    text_alone, baseline_facts = None, None
    if control is not None:
        baseline_facts = control.facts()
        if baseline_facts["weights"] == names["weights"]:
            raise ValueError(f"--text-only-baseline {control.name}: it has the weights of the evaluated model")
        its_ecgs, words = held_out.ecgs(control.answerer, settings.tokens)
        its = answer_questions(
            *(control.answerer, asked, its_ecgs, parts / "text-only-baseline"),
            conditions=(REAL,),
            ecgs=words,
            **options,
        )
        text_alone = tabulate(asked, its, (REAL,)).chosen[REAL]
    majority = None
    if train_rows is not None:
        whose = [persons[one] for one in answered.record_ids]
        counted = majority_answers(train_rows, people(training))
        majority = counted.columns(zip(answered.questions, whose, strict=True))

    statements = {(q.attribute_type, q.attribute) for q in answered.questions if q.is_yes_no}
    all_known = held_out.source.layout == PTB_XL
    prior = prevalences(training, statements, all_known)
    natural = prevalences([one.record for one in held_out.whole], statements, all_known)
    calibration, calibration_facts = None, None
    if settings.calibration_questions is not None:
        fitted_on, calibration_facts = _calibration_questions(held_out, asked, settings.calibration_questions)
        found = answer_questions(
            *(checkpoint.answerer, fitted_on, ecg_of, parts / "calibration"), conditions=(REAL,), ecgs=ecgs, **options
        )
        prevalence = calibration_facts.pop("prevalence")
        calibration = fit_calibration(tabulate(fitted_on, found, (REAL,)), prevalence)

    bootstrap = settings.bootstrap
    measured = measured_answers(answered, majority, bootstrap, text_alone)
    areas = auroc_results(answered, bootstrap)
    sampled = [one for one in areas if "every record" not in one.group]
    tables: dict[str, Sequence[ControlledResult]] = {
        "Answers from the closed set": answer_results(answered, measured),
        "AUROC of each answer": [*mean_auroc(sampled, answered.set_name), *areas],
        "Subgroups": subgroup_results(answered, measured, persons),
        "Confidence": confidence_results(answered, calibration, prior, natural, bootstrap),
    }
    if settings.generate:
        rows = evenly_spaced(answered.balanced.tolist(), settings.generate)
        texts = generate_answers(checkpoint.answerer, answered, rows, asked, ecg_of, parts, ecgs=ecgs, **options)
        tables["Free text beside the closed set"] = generated_results(answered, rows, texts, measured)
    pictures = draw(answered, calibration, prior, natural, parts / "pictures")
    names_drawn = ", ".join(one.name for one in pictures)

    facts = question_facts(settings.questions, held_out.whole, asked)
    write_identity(parts, names, facts)
    against, sections = None, []
    if settings.against is not None:
        other, differences = compare(answered, asked, facts, settings.against, bootstrap)
        found_differences = {title: interval_document(one) for title, one in differences.items()}
        against = {"model": other, "exact_match_ours_minus_theirs": found_differences}
        title = f"Exact match less that of {other['name']}, paired by question"
        sections = difference_section(title, "group", found_differences)

    if settings.write_calibration is not None and calibration is not None:
        of = prevalence_facts(held_out.source, training, settings.training_folds)
        fitted = {**(calibration_facts or {}), **of, "model": names}
        carried = calibration.carried(asked_statements(training, all_known), fitted)
        write_calibration(settings.write_calibration, carried)
    document = held_out.document(
        "qa",
        names,
        text_only_baseline=baseline_facts,
        ecgs=ecgs,
        questions=facts,
        against=against,
        training_rows=None if settings.train_rows is None else file_facts(settings.train_rows),
        leakage=apart.document(),
        calibration=None if calibration is None else {**calibration.document(), **(calibration_facts or {})},
        prevalence_training_folds={f"{kind} {what}": share for (kind, what), share in sorted(prior.items())},
        tables={title: [row.document() for row in rows] for title, rows in tables.items()},
        statements=statement_figures(answered, natural),
        notes=[
            *_notes(held_out, apart, calibration, (calibration_facts or {}).get("folds_in_training", ())),
            *([] if baseline_facts is None else [CONTROL_NOTE.format(**baseline_facts)]),
            *([] if settings.generate else [NOTHING_WRITTEN]),
            f"Reliability and risk–coverage are drawn in {parts.name}/pictures: {names_drawn}.",
        ],
    )
    title = f"Questions {facts['hash']} answered by {checkpoint.name}"
    return Evaluation(title, tables, document, sections, headline=headline(tables))


def _calibration_questions(
    held_out: HeldOutSet, test: Sequence[AskedRecord], path: Path
) -> tuple[list[AskedRecord], dict[str, Any]]:
    """Records with questions to calibrate on, and what names them with the prevalence among them."""
    settings = held_out.settings
    whole = read_questions(path, held_out.source).asked
    asked = evenly_spaced(whole, settings.max_records)
    if both := {one.record.patient for one in asked} & {one.record.patient for one in test}:
        raise ValueError(f"{len(both)} patients have calibration questions and test questions (such as {min(both)})")
    records: list[Record] = [one.record for one in whole]
    statements: set[Statement] = {
        (q.attribute_type, q.attribute) for one in asked for q in one.questions if q.is_yes_no
    }
    parts = sorted({part_of(record) for record in records}, key=str)
    trained = {part_of(record) for record in held_out.training} | set(settings.training_folds)
    return asked, {
        "questions_file": question_facts(path, whole, asked),
        "folds": parts,
        "folds_in_training": [part for part in parts if part in trained],
        "prevalence": prevalences(records, statements, held_out.source.layout == PTB_XL),
    }


def _notes(
    held_out: HeldOutSet, apart: Leakage, calibration: Calibration | None, folds_in_training: Sequence[int | str]
) -> list[str]:
    copies = f", {len(apart.copies)} test records with the samples of a training record were left out"
    looked = apart.waveform_words() + (copies if apart.by_waveform else "")
    notes = [PUBLISHED, BACKGROUND_NOTE, f"{apart.patient_words(held_out.parts)}; {looked}.", *held_out.notes()]
    if calibration is None:
        return [*notes, "No calibration questions were given: probabilities stand as scored."]
    if folds_in_training:
        notes.append(
            f"The calibration questions are of fold {', '.join(map(str, folds_in_training))}, which the checkpoint was "
            "trained on: its answers there are better than on new patients, so the temperature may be too low."
        )
    natural = calibration.natural_temperature
    notes.append(
        f"Temperatures: {calibration.balanced_temperature:.3f} for balanced questions"
        + ("" if natural is None else f", {natural:.3f} for yes/no questions at natural prevalence")
        + f" (on {calibration.questions:,} and {calibration.yes_no_questions:,} questions of "
        f"{calibration.patients:,} patients)."
    )
    if calibration.at_edge:
        notes.append(f"The temperature for {' and '.join(calibration.at_edge)} ended at an edge: it is no fit.")
    return notes
