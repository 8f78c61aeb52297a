"""How well a checkpoint answers on patients it never saw, beside itself under the controls.

The questions come from `python -m dataset_builders.evaluation_questions`: one row a question, with its closed answer
set. A question counts as right when the likeliest answer of the set is the true one.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..models.ecg_record import ECGRecord
from ..models.ecg_windows import MEAN, combined_scores, rule, token_windows
from .answered import Outcomes
from .conditions import BACKGROUND, BLIND, CONTROL, DEAF, REAL, ConditionPrompts, other_patients
from .partial import PartialResults
from .question_file import HeldOutQuestion, HeldOutRecord
from .scoring import score_groups

CONDITIONS = (REAL, CONTROL, BLIND)
"""The record's own ECG, another patient's, none."""

JOBS = 20  # records and conditions scored together
_DECIMALS = 5  # of a log-likelihood that is kept


def _asked(condition: str, question: HeldOutQuestion, background: str) -> Hashable:
    """Questions with equal keys on one ECG have one outcome."""
    if condition == DEAF:
        return question.answers
    return question.question, question.answers, background if condition == BACKGROUND else ""


@dataclass
class _Job:
    """One record under one condition: its questions that are not known yet, and where all its outcomes will be.

    A new question has a prompt for each window of the record, its answers, and how the windows are put together.
    """

    record: HeldOutRecord
    condition: str
    keys: list[Hashable]
    known: dict[Hashable, list[float]]
    new: dict[Hashable, tuple[list[list[int]], tuple[str, ...], str]]


class _Encoder:
    """The part of a tokenizer that scoring needs, each answer tokenised once."""

    def __init__(self, tokenizer: Any) -> None:
        self.eos_token_id = tokenizer.eos_token_id
        self._ids = lru_cache(maxsize=100_000)(lambda text: tuple(tokenizer.encode(text, add_special_tokens=False)))

    def encode(self, text: str, add_special_tokens: bool = False) -> list[int]:
        return list(self._ids(text))


def _score(model: Any, encoder: _Encoder, jobs: Sequence[_Job]) -> list[list[list[float]]]:
    """The outcomes of each job; new ones are added to what is known."""
    groups: list[tuple[list[list[int]], list[tuple[str, ...]]]] = []
    places: list[range] = []
    for job in jobs:
        first = next(iter(job.new.values()), None)
        windows = range(0 if first is None else len(first[0]))  # the same for all questions on a record
        places.append(range(len(groups), len(groups) + len(windows)))
        answer_sets = [answers for _, answers, _ in job.new.values()]
        groups += [([prompts[window] for prompts, _, _ in job.new.values()], answer_sets) for window in windows]
    scored = score_groups(model, encoder, groups)
    for job, its in zip(jobs, places, strict=True):
        for number, (key, (_, answers, how)) in enumerate(job.new.items()):
            scores = combined_scores([scored[place][number].log_likelihoods for place in its], answers, how)
            job.known[key] = np.round(scores, _DECIMALS).tolist()
    return [[job.known[key] for key in job.keys] for job in jobs]


def _fingerprint(
    records: Sequence[HeldOutRecord], weights: str, seed: int, backgrounds: Mapping[int, str] | None, ecgs: str
) -> str:
    told = sorted((backgrounds or {}).items())
    return hashlib.sha256(repr((weights, seed, list(records), told, ecgs)).encode()).hexdigest()[:16]


def weights_fingerprint(model: Any) -> str:
    """Sixteen hexadecimal digits over a model's weights: partial results of another checkpoint are not mixed in."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().float().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def evaluate(
    model: Any,
    tokenizer: Any,
    records: Sequence[HeldOutRecord],
    ecg_ids: Callable[[HeldOutRecord], Sequence[int]],
    folder: str | os.PathLike[str],
    *,
    conditions: Sequence[str] = CONDITIONS,
    backgrounds: Mapping[int, str] | None = None,
    seed: int = 0,
    progress: bool = True,
    ecgs: str = "",
) -> Outcomes:
    """Ask every question under every condition.

    A record longer than the checkpoint was trained on (`tokenizer.ecg_max_duration`) is shown in windows, whose scores
    are put together as the pipeline does (`models.ecg_windows`).

    Args:
        model: the language model.
        tokenizer: its `ECGTokenizer`.
        records: from `read_questions`.
        ecg_ids: token ids of a record's ECG.
        folder: for partial results, one line a record and condition; a broken-off run goes on from there.
        conditions: some of `conditions.CONDITIONS`.
        backgrounds: ecg_id → what is told of the patient under the condition `"background"`.
        seed: of the control's choice of other patients.
        progress: show a bar on stderr.
        ecgs: names what `ecg_ids` gives (codec, sampling rate, disturbance); partial results of another are refused.

    Raises:
        ValueError: if the folder holds partial results of another model, other questions or another seed.
    """
    from tqdm.auto import tqdm

    model.eval()
    path = Path(folder) / "outcomes.jsonl"
    mark = _fingerprint(records, weights_fingerprint(model), seed, backgrounds, ecgs)
    other = other_patients(records, seed) if CONTROL in conditions else {}
    by_id = {record.ecg_id: record for record in records}
    prompts, encoder, longest = ConditionPrompts(tokenizer), _Encoder(tokenizer), longest_window(tokenizer)
    without_ecg: dict[str, dict[Hashable, list[float]]] = {BLIND: {}, BACKGROUND: {}}  # one answer, whoever is asked

    def job(record: HeldOutRecord, condition: str) -> _Job:
        told = (backgrounds or {}).get(record.ecg_id, "")
        keys = [_asked(condition, question, told) for question in record.questions]
        known = without_ecg.get(condition, {})
        asked = {key: one for key, one in zip(keys, record.questions, strict=True) if key not in known}
        ids = None
        if condition not in without_ecg and asked:
            ids = ecg_ids(by_id[other[record.ecg_id]] if condition == CONTROL else record)
        shown = [None] if ids is None else token_windows(ids, longest)
        new = {
            key: (
                [prompts(condition, one.question, window, told) for window in shown],
                one.answers,
                MEAN if condition == DEAF else rule(one.attribute, one.is_yes_no),
            )
            for key, one in asked.items()
        }
        return _Job(record, condition, keys, known, new)

    with PartialResults(path, mark) as partial:
        outcomes = {(line["ecg_id"], line["condition"]): line["log_likelihoods"] for line in partial.lines}
        plan = [(record, condition) for record in records for condition in conditions]
        with tqdm(total=len(plan), unit="record", disable=not progress) as bar:
            for first in range(0, len(plan), JOBS):
                part = plan[first : first + JOBS]
                left = [(r, c) for r, c in part if (r.ecg_id, c) not in outcomes]
                jobs = [job(record, condition) for record, condition in left]
                found = _score(model, encoder, jobs)
                for one, result in zip(jobs, found, strict=True):
                    outcomes[one.record.ecg_id, one.condition] = result
                    partial.append({"ecg_id": one.record.ecg_id, "condition": one.condition, "log_likelihoods": result})
                bar.update(len(part))
    return outcomes


def longest_window(tokenizer: Any) -> int | None:
    """ECG tokens of the longest recording that a checkpoint was trained on; None where it does not say."""
    seconds = getattr(tokenizer, "ecg_max_duration", None)
    return None if seconds is None else round(seconds * tokenizer.codec.config.tokens_per_second)


def one_window(tokenizer: Any, ids: Sequence[int], ecg_id: int) -> Sequence[int]:
    """The ids of a record that a text is written about.

    Raises:
        ValueError: if the record is longer than the checkpoint was trained on: windows have texts of their own.
    """
    longest = longest_window(tokenizer)
    if longest is not None and len(ids) > longest:
        raise ValueError(
            f"record {ecg_id} has {len(ids)} ECG tokens, the checkpoint was trained on {longest} at most: texts are "
            "evaluated on records that are no longer"
        )
    return ids


def record_reader(
    tokenizer: Any, ptbxl: str | os.PathLike[str], rate: int = 100
) -> Callable[[HeldOutRecord], list[int]]:
    """A function that reads a record from PTB-XL's folder at 100 or 500 Hz and tokenises it, each record once."""
    from ..ecg import read_ecg

    known: dict[int, list[int]] = {}

    def ids(record: HeldOutRecord) -> list[int]:
        if record.ecg_id not in known:
            name = record.filename_lr if rate == 100 else record.filename_hr
            signal: ECGRecord = read_ecg(Path(ptbxl) / name)
            known[record.ecg_id] = [int(token) for token in tokenizer.encode_ecg(signal)]
        return known[record.ecg_id]

    return ids
