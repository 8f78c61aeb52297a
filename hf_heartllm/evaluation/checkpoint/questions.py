"""The whole evaluation on closed-set questions: read, check, score, calibrate, tabulate; one document of everything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...data.record import Record
from ..answers import MACRO_F1
from ..conditions import REAL
from ..controlled import ControlledResult, interval_documents
from ..held_out import HeldOutSet, check_some_balanced, part_of, read_held_out
from ..majority import majority_answers
from ..people import people
from ..provenance import Checkpoint, file_facts, question_facts
from ..question_file import AskedRecord, evenly_spaced, read_questions
from ..runner import Evaluation, difference_section
from ..settings import QASettings
from .calibration import Calibration, Statement, fit_calibration, prevalences
from .calibration_file import asked_statements, check_checkpoint_folder, prevalence_facts, write_calibration
from .confidence_figures import confidence_results, draw, measured_curves, statement_figures
from .figures import answer_results, auroc_results, mean_auroc, measured_answers, subgroup_results
from .generated import generate_answers, generated_results
from .paired import answer_differences, other_answers, write_identity

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
    baseline_facts = None if control is None else control.facts()
    if baseline_facts is not None and baseline_facts["weights"] == checkpoint.weights:
        raise ValueError(f"--text-only-baseline {baseline_facts['name']}: it has the weights of the evaluated model")
    held_out = read_held_out(settings, settings.train_rows, waveforms=parts)
    asked, training = held_out.asked, held_out.training
    if settings.write_calibration is not None and not training:
        raise ValueError(f"--write-calibration: no record is of {held_out.parts}, whose prevalences it states")
    check_some_balanced(asked, settings.questions)
    run, bootstrap = held_out.run("qa", checkpoint, parts, settings.tokens), settings.bootstrap
    other = None if settings.against is None else other_answers(settings.against, run.questions, asked)
    answered = run.asker.answers(asked)
    text_alone = None
    if control is not None:
        its = held_out.run("qa", control, parts / "text-only-baseline", settings.tokens)
        text_alone = its.asker.answers(asked, (REAL,)).chosen[REAL]
    persons, majority = people(one.record for one in asked), None
    if held_out.train_rows is not None:
        whose = [persons[one] for one in answered.record_ids]
        counted = majority_answers(held_out.train_rows, people(training))
        majority = counted.columns(zip(answered.questions, whose, strict=True))

    statements = {(q.attribute_type, q.attribute) for q in answered.questions if q.is_yes_no}
    prior = prevalences(training, statements)
    natural = prevalences([one.record for one in held_out.whole], statements)
    calibration, calibration_facts = None, dict[str, Any]()
    if settings.calibration_questions is not None:
        fitted_on, calibration_facts = _calibration_questions(held_out, settings.calibration_questions)
        its_answers = replace(run.asker, folder=parts / "calibration").answers(fitted_on, (REAL,))
        calibration = fit_calibration(its_answers, calibration_facts.pop("prevalence"))

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
        texts = generate_answers(run.asker, answered, rows, asked)
        tables["Free text beside the closed set"] = generated_results(answered, rows, texts, measured)
    curves = measured_curves(answered, calibration, prior, natural)
    pictures = draw(curves, parts / "pictures")
    names_drawn = ", ".join(one.name for one in pictures)

    write_identity(run)
    against, sections = None, []
    if other is not None:
        model, theirs = other
        differences = answer_differences(answered, theirs, bootstrap)
        against = {"model": model, "exact_match_ours_minus_theirs": interval_documents(differences)}
        less = f"Exact match less that of {model['name']}, paired by question"
        sections = difference_section(less, "group", differences)

    if settings.write_calibration is not None and calibration is not None:
        of = prevalence_facts(held_out.source, training, settings.training_folds)
        fitted = {**calibration_facts, **of, "model": checkpoint.facts()}
        carried = calibration.carried(asked_statements(training), fitted)
        write_calibration(settings.write_calibration, carried)
    notes = [
        *(PUBLISHED, BACKGROUND_NOTE),
        *held_out.notes(),
        *_calibration_notes(calibration, calibration_facts.get("folds_in_training", ())),
        *([] if baseline_facts is None else [CONTROL_NOTE.format(**baseline_facts)]),
        *([] if settings.generate else [NOTHING_WRITTEN]),
        f"Reliability and risk–coverage are drawn in {parts.name}/pictures: {names_drawn}.",
    ]
    found = {
        "text_only_baseline": baseline_facts,
        "against": against,
        "training_rows": None if settings.train_rows is None else file_facts(settings.train_rows),
        "leakage": held_out.apart.document(),
        "calibration": None if calibration is None else {**calibration.document(), **calibration_facts},
        "prevalence_training_folds": {f"{kind} {what}": share for (kind, what), share in sorted(prior.items())},
        "statements": statement_figures(answered, natural),
        "curves": curves.document(),
    }
    title = f"Questions {run.questions['hash']} answered"
    return Evaluation(run, title, tables, notes, found, sections, headline=headline(tables))


def _calibration_questions(held_out: HeldOutSet, path: Path) -> tuple[list[AskedRecord], dict[str, Any]]:
    """Records with questions to calibrate on, and what names them with the prevalence among them."""
    settings = held_out.settings
    whole = read_questions(path, held_out.source).asked
    asked = evenly_spaced(whole, settings.max_records)
    if both := {one.record.patient for one in asked} & {one.record.patient for one in held_out.asked}:
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
        "prevalence": prevalences(records, statements),
    }


def _calibration_notes(calibration: Calibration | None, folds_in_training: Sequence[int | str]) -> list[str]:
    if calibration is None:
        return ["No calibration questions were given: probabilities stand as scored."]
    notes = []
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
