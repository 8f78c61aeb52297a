"""What disturbed recordings do to a checkpoint's answers: exact match and AUROC, beside the undisturbed ones."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ...data.record import Record
from ...inference import Answerer
from ...models.ecg_reading import Reading
from ...models.ecg_record import ECGError, ECGWarning
from ..answered import Answered, tabulate
from ..answering import Ecgs, answer_questions, each_once
from ..answers import EXACT
from ..conditions import BACKGROUND, CONDITIONS, NO_ECG, NO_QUESTION, REAL, SHUFFLED_ECG
from ..controlled import ControlledResult, interval_document
from ..held_out import Checkpoint, check_some_balanced, read_held_out
from ..intervals import Bootstrap, Interval, Settings
from ..leakage import training_leakage
from ..page import Evaluation, difference_section
from ..people import id_number
from ..provenance import question_facts
from ..settings import RobustnessSettings
from .corruptions import Corruption, corruptions
from .figures import auroc_results, measured_answers

UNDISTURBED = "undisturbed"


def evaluate_robustness(checkpoint: Checkpoint, settings: RobustnessSettings, parts: Path) -> Evaluation:
    """Ask the same questions about the same recordings, disturbed in every way.

    Under another patient's ECG that one is disturbed likewise. The controls without an ECG are asked once.

    Args:
        checkpoint: what is evaluated.
        settings: see `RobustnessSettings`.
        parts: folder for partial results, one folder a corruption.

    Raises:
        ValueError: if a patient of training is among the records, a kind is unknown, or the folder holds partial
            results of another run.
    """
    tried, answerer = chosen(settings.kinds), checkpoint.answerer
    held_out = read_held_out(settings)
    asked = held_out.asked
    apart = training_leakage(asked, held_out.training)
    check_some_balanced(asked, settings.questions)
    ecg_of, ecgs = held_out.ecgs(answerer)
    options, bootstrap = settings.asking, settings.bootstrap
    plain = answer_questions(answerer, asked, ecg_of, parts / UNDISTURBED, conditions=CONDITIONS, ecgs=ecgs, **options)
    undisturbed = tabulate(asked, plain, CONDITIONS)
    rows = _results(undisturbed, UNDISTURBED, bootstrap)
    changes: dict[str, Interval] = {}
    notes = []
    for corruption in tried:
        folder = parts / re.sub(r"[^a-z0-9.]+", "-", corruption.name.lower())
        try:
            outcomes = answer_questions(
                *(answerer, asked, _disturbed(answerer, settings.seed, corruption), folder),
                conditions=(REAL, SHUFFLED_ECG, NO_QUESTION),
                ecgs=f"{ecgs}, {corruption.name}",
                **options,
            )
        except ECGError as error:
            reason = str(error).rpartition(": ")[2]  # without the record's place on this machine
            notes.append(f"{corruption.name}: the codec does not take such recordings ({reason}).")
            continue
        without_ecg = {key: value for key, value in plain.items() if key[1] in (NO_ECG, BACKGROUND)}
        answered = tabulate(asked, {**outcomes, **without_ecg}, CONDITIONS)
        for title, found in _results(answered, corruption.name, bootstrap).items():
            rows[title] += found
        drawn = Bootstrap(answered.patients[answered.balanced], **bootstrap)
        disturbed, plainly = (drawn.mean(one.right[REAL][one.balanced]) for one in (answered, undisturbed))
        changes[corruption.name] = disturbed.minus(plainly)
    found_changes = {name: interval_document(change) for name, change in changes.items()}
    document = held_out.document(
        "robustness",
        checkpoint.facts(),
        ecgs=ecgs,
        questions=question_facts(settings.questions, held_out.whole, asked),
        tables={title: [row.document() for row in found] for title, found in rows.items()},
        changes=found_changes,
        notes=[
            "Change: exact match on the disturbed recording less that on the undisturbed one, paired by question.",
            f"The recordings have {settings.sampling_rate} Hz: at a higher rate nothing is added above half of that.",
            "Another patient's ECG is disturbed likewise; without an ECG nothing is, so those columns stand still.",
            f"{apart.patient_words(held_out.parts)} (by patient).",
            *held_out.notes(),
            *notes,
        ],
    )
    sections = difference_section("Change against the undisturbed recordings", "corruption", found_changes)
    return Evaluation(f"Disturbed recordings answered by {checkpoint.name}", rows, document, sections)


def chosen(kinds: Sequence[str] | None) -> list[Corruption]:
    """The corruptions of these kinds, all for None.

    Raises:
        ValueError: if a kind is unknown.
    """
    every = corruptions()
    known = list(dict.fromkeys(one.kind for one in every))
    for kind in kinds or ():
        if kind not in known:
            raise ValueError(f"no corruption {kind!r}; there are {', '.join(known)}")
    return [one for one in every if kinds is None or one.kind in kinds]


def _disturbed(answerer: Answerer, seed: int, corruption: Corruption) -> Ecgs:
    """Reads a record's disturbed recording, each once."""

    def read(record: Record) -> Reading:
        signal = corruption.apply(record.read(), seed + id_number(record.record_id))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ECGWarning)  # what is wrong with the recording is what is tried
            return answerer.read(signal)

    return each_once(read)


def _results(answered: Answered, title: str, bootstrap: Settings) -> dict[str, list[ControlledResult]]:
    """Exact match of the balanced questions, and the AUROCs of those that every record is asked."""
    measured = measured_answers(answered, None, bootstrap, absent="it looks at no ECG: see `heartllm evaluate qa`")
    areas = [one for one in auroc_results(answered, bootstrap) if "every record" in one.group]
    return {
        "Exact match": measured.results((EXACT,), title, answered.balanced),
        "AUROC": [replace(one, group=f"{title}: {one.group}") for one in areas],
    }
