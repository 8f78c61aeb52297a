"""Questions and requests put to a model under every condition; a broken-off run goes on where it stopped.

A question counts as right when the likeliest answer of its closed set is the true one.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..data.question import Question
from ..data.record import Record
from ..inference import Answerer, read_stored_ecgs
from ..models.ecg_reading import Reading
from ..models.ecg_windows import rule
from .answered import Outcomes
from .conditions import (
    BACKGROUND,
    NO_ECG,
    NO_QUESTION,
    OLD_NAMES,
    SHUFFLED_ECG,
    WITH_ECG,
    condition_prompt,
    other_patients,
)
from .partial import PartialResults, run_mark
from .people import people
from .question_file import AskedRecord

OUTCOMES = "outcomes.jsonl"
JOBS = 20  # records and conditions scored together
TEXTS = 32  # written together
_DECIMALS = 5  # of a log-likelihood that is kept

Ecgs = Callable[[Record], Reading]
"""A record's recording, as prompts take it."""


def ecg_source(answerer: Answerer, tokens: Path | None, records: str) -> tuple[Ecgs, str]:
    """A function that reads a record's recording, each once, and words that name what it gives.

    Args:
        answerer: reads them.
        tokens: a token set that holds them, instead; None: the recordings are read.
        records: names what is read, as `"records at 100 Hz"`.

    Raises:
        ValueError: if the token set was made by another codec; later, if it lacks a record.
    """
    named = ", ".join(f"{what} {name}" for what, name in answerer.reads.items())
    if tokens is None:
        return each_once(lambda record: answerer.read(record.read())), f"{named}, {records}"
    stored = read_stored_ecgs(answerer, tokens)

    def reading(record: Record) -> Reading:
        if record.record_id not in stored:
            raise ValueError(f"{tokens}: no codes of record {record.record_id}")
        return stored[record.record_id]

    return each_once(reading), f"{named}, codes of a file"


def each_once(read: Ecgs) -> Ecgs:
    """The same, which reads each record once."""
    known: dict[str, Reading] = {}

    def reading(record: Record) -> Reading:
        if record.record_id not in known:
            known[record.record_id] = read(record)
        return known[record.record_id]

    return reading


def weights_fingerprint(model: Any) -> str:
    """Sixteen hexadecimal digits over a model's weights: partial results of another checkpoint are not mixed in."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().float().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


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


def answer_questions(
    answerer: Answerer,
    asked: Sequence[AskedRecord],
    ecg_of: Ecgs,
    folder: str | os.PathLike[str],
    *,
    conditions: Sequence[str],
    seed: int = 0,
    progress: bool = True,
    ecgs: str = "",
) -> Outcomes:
    """Ask every question under every condition.

    Args:
        answerer: the model.
        asked: records with their questions.
        ecg_of: reads a record's recording.
        folder: for partial results, one line a record and condition; a broken-off run goes on from there.
        conditions: some of `conditions.CONDITIONS`.
        seed: of the control's choice of other patients.
        progress: show a bar on stderr.
        ecgs: names what `ecg_of` gives (`ecg_source`, a disturbance); partial results of another are refused.

    Raises:
        ValueError: if the folder holds partial results of another model, other questions or another seed, or a prompt
            is longer than the model can read.
    """
    from tqdm.auto import tqdm

    told = backgrounds(asked) if BACKGROUND in conditions else {}
    mark = run_mark(weights_fingerprint(answerer.model), seed, list(asked), sorted(told.items()), ecgs)
    records = {one.record_id: one.record for one in asked}
    other = other_patients(records.values(), seed) if SHUFFLED_ECG in conditions else {}
    without_ecg: dict[str, dict[Hashable, list[float]]] = {NO_ECG: {}, BACKGROUND: {}}  # one answer, whoever is asked

    def score(jobs: Sequence[tuple[AskedRecord, str]]) -> list[list[list[float]]]:
        """The outcomes of records under conditions; a question that is asked twice of one ECG is answered once."""
        known = [without_ecg.get(condition, {}) for _, condition in jobs]
        prompts, sets, places = [], [], []
        for (one, condition), found in zip(jobs, known, strict=True):
            shown = records[other[one.record_id]] if condition == SHUFFLED_ECG else one.record
            ecg = ecg_of(shown) if condition in WITH_ECG else None
            background = told.get(one.record_id, "")
            asked_here = {_key(condition, question, background): question for question in one.questions}
            for key, question in asked_here.items():
                if key not in found:
                    how = rule(question.attribute, question.is_yes_no)
                    prompts.append(condition_prompt(condition, ecg, question.text, background, how))
                    sets.append(question.answer_set)
                    places.append((found, key))
        for (found, key), scores in zip(places, answerer.score(prompts, sets) if prompts else (), strict=True):
            found[key] = np.round(scores.log_likelihoods, _DECIMALS).tolist()
        return [
            [found[_key(condition, question, told.get(one.record_id, ""))] for question in one.questions]
            for (one, condition), found in zip(jobs, known, strict=True)
        ]

    with PartialResults(Path(folder) / OUTCOMES, mark) as partial:
        outcomes = outcomes_of(partial.lines)
        plan = [(one, condition) for one in asked for condition in conditions]
        with tqdm(total=len(plan), unit="record", disable=not progress) as bar:
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
Request = tuple[str, Record | None, str, str]
"""Condition, whose recording is shown or None, text, background."""


def write_texts(
    answerer: Answerer,
    requests: Mapping[Key, Request],
    ecg_of: Ecgs,
    path: Path,
    mark: str,
    *,
    max_new_tokens: int,
    title: str,
    progress: bool = True,
) -> dict[Key, str]:
    """The model's text for each request, greedy, in batches; a broken-off run goes on from `path`.

    Args:
        answerer: the model.
        requests: what is asked.
        ecg_of: reads a record's recording.
        path: of the partial results.
        mark: names model, requests and ECGs.
        max_new_tokens: where a text is cut.
        title: of the bar.
        progress: show it on stderr.
    """
    from tqdm.auto import tqdm

    with PartialResults(path, mark) as partial:
        texts: dict[Key, str] = {(condition_of(line), line["of"]): line["text"] for line in partial.lines}
        left = [key for key in requests if key not in texts]
        with tqdm(total=len(left), desc=title, unit="text", disable=not progress) as bar:
            for first in range(0, len(left), TEXTS):
                batch = left[first : first + TEXTS]
                prompts = [
                    condition_prompt(condition, None if shown is None else ecg_of(shown), text, background)
                    for condition, shown, text, background in (requests[key] for key in batch)
                ]
                for key, written in zip(batch, answerer.generate(prompts, max_new_tokens), strict=True):
                    texts[key] = written[0].text
                    partial.append({"condition": key[0], "of": key[1], "text": texts[key]})
                bar.update(len(batch))
    return texts
