"""Questions and requests put to a model under every condition; a broken-off run goes on where it stopped.

A question counts as right when the likeliest answer of its closed set is the true one.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..data.question import Question
from ..data.record import Record
from ..inference import read_stored_ecgs
from ..models.ecg_reading import Reading
from ..models.ecg_windows import rule
from .answered import Answered, Outcomes, tabulate
from .conditions import (
    BACKGROUND,
    CONDITIONS,
    NO_ECG,
    NO_QUESTION,
    OLD_NAMES,
    REAL,
    SHUFFLED_ECG,
    condition_prompt,
    other_patients,
    shown_record,
)
from .partial import PartialResults, run_mark
from .people import people
from .provenance import Checkpoint
from .question_file import AskedRecord

OUTCOMES = "outcomes.jsonl"
JOBS = 20  # records and conditions scored together
TEXTS = 32  # written together
_DECIMALS = 5  # of a log-likelihood that is kept

Ecgs = Callable[[Record], Reading]
"""A record's recording, as prompts take it."""


@dataclass(frozen=True)
class Asker:
    """A checkpoint, and how the recordings that it is asked about are read.

    Attributes:
        checkpoint: the model.
        ecg_of: reads a record's recording.
        ecgs: names what `ecg_of` gives; partial results of other ECGs are refused.
        folder: for partial results; a broken-off run goes on from there.
        seed: of the control's choice of other patients.
        progress: show bars on stderr.
    """

    checkpoint: Checkpoint
    ecg_of: Ecgs
    ecgs: str
    folder: Path
    seed: int = 0
    progress: bool = True

    def answers(self, asked: Sequence[AskedRecord], conditions: Sequence[str] = CONDITIONS) -> Answered:
        """`answer_questions` as columns."""
        return tabulate(asked, answer_questions(self, asked, conditions), conditions)


def asker_of(checkpoint: Checkpoint, tokens: Path | None, records: str, folder: Path, **options: Any) -> Asker:
    """One that reads each record once.

    Args:
        checkpoint: the model.
        tokens: a token set that holds the recordings, instead; None: they are read.
        records: names what is read, as `"records at 100 Hz"`.
        folder: for partial results.
        options: `seed` and `progress`.

    Raises:
        ValueError: if the token set was made by another codec; later, if it lacks a record.
    """
    answerer = checkpoint.answerer
    named = ", ".join(f"{what} {name}" for what, name in answerer.reads.items())
    if tokens is None:
        read = each_once(lambda record: answerer.read(record.read()))
        return Asker(checkpoint, read, f"{named}, {records}", folder, **options)
    stored = read_stored_ecgs(answerer, tokens)

    def reading(record: Record) -> Reading:
        if record.record_id not in stored:
            raise ValueError(f"{tokens}: no codes of record {record.record_id}")
        return stored[record.record_id]

    return Asker(checkpoint, each_once(reading), f"{named}, codes of a file", folder, **options)


def each_once(read: Ecgs) -> Ecgs:
    """The same, which reads each record once."""
    known: dict[str, Reading] = {}

    def reading(record: Record) -> Reading:
        if record.record_id not in known:
            known[record.record_id] = read(record)
        return known[record.record_id]

    return reading


def outcomes_of(lines: Iterable[Mapping[str, Any]]) -> Outcomes:
    """The outcomes that lines of `OUTCOMES` hold; older ones name a record by `ecg_id`."""
    return {
        (str(line.get("record_id", line.get("ecg_id"))), condition_of(line)): line["log_likelihoods"] for line in lines
    }


def condition_of(line: Mapping[str, Any]) -> str:
    """The condition of a line of partial results."""
    name: str = line["condition"]
    return OLD_NAMES.get(name, name)


def backgrounds(asked: Iterable[AskedRecord]) -> dict[str, str]:
    """record_id → what is told of the patient under the condition `BACKGROUND`."""
    return {name: person.background for name, person in people(one.record for one in asked).items()}


def answer_questions(asker: Asker, asked: Sequence[AskedRecord], conditions: Sequence[str] = CONDITIONS) -> Outcomes:
    """Ask every question under every condition.

    Args:
        asker: whom, and about which recordings; its folder keeps one line a record and condition.
        asked: records with their questions.
        conditions: some of `conditions.CONDITIONS`.

    Raises:
        ValueError: if the folder holds partial results of another model, other questions or another seed, or a prompt
            is longer than the model can read.
    """
    from tqdm.auto import tqdm

    told = backgrounds(asked) if BACKGROUND in conditions else {}
    mark = run_mark(asker.checkpoint.weights, asker.seed, list(asked), sorted(told.items()), asker.ecgs)
    records = {one.record_id: one.record for one in asked}
    other = other_patients(records.values(), asker.seed) if SHUFFLED_ECG in conditions else {}
    without_ecg: dict[str, dict[Hashable, list[float]]] = {NO_ECG: {}, BACKGROUND: {}}  # one answer, whoever is asked

    def score(jobs: Sequence[tuple[AskedRecord, str]]) -> list[list[list[float]]]:
        """The outcomes of records under conditions; a question that is asked twice of one ECG is answered once."""
        known = [without_ecg.get(condition, {}) for _, condition in jobs]
        prompts, sets, places = [], [], []
        for (one, condition), found in zip(jobs, known, strict=True):
            shown = shown_record(condition, one.record_id, records, other)
            ecg = None if shown is None else asker.ecg_of(shown)
            background = told.get(one.record_id, "")
            asked_here = {_key(condition, question, background): question for question in one.questions}
            for key, question in asked_here.items():
                if key not in found:
                    how = rule(question.attribute, question.is_yes_no)
                    prompts.append(condition_prompt(condition, ecg, question.text, background, how))
                    sets.append(question.answer_set)
                    places.append((found, key))
        scored = asker.checkpoint.answerer.score(prompts, sets) if prompts else ()
        for (found, key), scores in zip(places, scored, strict=True):
            found[key] = np.round(scores.log_likelihoods, _DECIMALS).tolist()
        return [
            [found[_key(condition, question, told.get(one.record_id, ""))] for question in one.questions]
            for (one, condition), found in zip(jobs, known, strict=True)
        ]

    with PartialResults(asker.folder / OUTCOMES, mark) as partial:
        outcomes = outcomes_of(partial.lines)
        plan = [(one, condition) for one in asked for condition in conditions]
        for one, condition in plan:  # a resumed run answers as one that was not broken off: equal scores stay equal
            if condition in without_ecg and (kept := outcomes.get((one.record_id, condition))) is not None:
                for question, scores in zip(one.questions, kept, strict=True):
                    key = _key(condition, question, told.get(one.record_id, ""))
                    without_ecg[condition].setdefault(key, scores)
        with tqdm(total=len(plan), unit="record", disable=not asker.progress) as bar:
            for first in range(0, len(plan), JOBS):
                part = plan[first : first + JOBS]
                left = [(one, condition) for one, condition in part if (one.record_id, condition) not in outcomes]
                for (one, condition), result in zip(left, score(left), strict=True):
                    outcomes[one.record_id, condition] = result
                    line = {"record_id": one.record_id, "condition": condition, "log_likelihoods": result}
                    partial.append(line)
                bar.update(len(part))
    return outcomes


def _key(condition: str, question: Question, background: str) -> Hashable:
    """Questions with equal keys on one ECG have one outcome."""
    if condition == NO_QUESTION:
        return question.answer_set
    return question.text, question.answer_set, background if condition == BACKGROUND else ""


Key = tuple[str, str | int]
"""Condition, and what names a request under it."""


def write_texts(
    asker: Asker,
    asked: Sequence[AskedRecord],
    wanted: Sequence[tuple[str, str]],
    file: str,
    mark: str,
    *,
    names: Sequence[int] | None = None,
    max_new_tokens: int,
) -> dict[str, list[str]]:
    """Condition → the model's text for each request, greedy, in batches.

    Args:
        asker: whom, and about which recordings.
        asked: all records, for the control's choice.
        wanted: record_id and text of each request.
        file: of the partial results in the asker's folder.
        mark: names model, requests and ECGs.
        names: of each request. None where all ask the same: what needs no ECG is written once for each background, and
            another patient's text is the one of that record, so that nothing is written twice.
        max_new_tokens: where a text is cut.
    """
    from tqdm.auto import tqdm

    records, told = {one.record_id: one.record for one in asked}, backgrounds(asked)
    other = other_patients(records.values(), asker.seed)
    requests: dict[Key, tuple[str, Record | None, str, str]] = {}
    keys: dict[str, list[Key]] = {condition: [] for condition in CONDITIONS}
    for condition in CONDITIONS:
        for place, (own, text) in enumerate(wanted):
            shown = shown_record(condition, own, records, other)
            background = told[own] if condition == BACKGROUND else ""
            if names is None:
                key: Key = REAL if condition == SHUFFLED_ECG else condition, shown.record_id if shown else background
            else:
                key = condition, names[place]
            keys[condition].append(key)
            requests.setdefault(key, (key[0], shown, text, background))
    with PartialResults(asker.folder / file, mark) as partial:
        texts: dict[Key, str] = {(condition_of(line), line["of"]): line["text"] for line in partial.lines}
        left = [key for key in requests if key not in texts]
        with tqdm(total=len(left), desc=Path(file).stem, unit="text", disable=not asker.progress) as bar:
            for first in range(0, len(left), TEXTS):
                batch = left[first : first + TEXTS]
                prompts = [
                    condition_prompt(condition, None if shown is None else asker.ecg_of(shown), text, background)
                    for condition, shown, text, background in (requests[key] for key in batch)
                ]
                found = asker.checkpoint.answerer.generate(prompts, max_new_tokens)
                for key, written in zip(batch, found, strict=True):
                    texts[key] = written[0].text
                    partial.append({"condition": key[0], "of": key[1], "text": texts[key]})
                bar.update(len(batch))
    return {condition: [texts[key] for key in keys[condition]] for condition in CONDITIONS}
